"""Who may look at what belongs to no tenant, or to all: people whom the settings name.

A role would not do: whoever registers owns a tenant, and gives its roles. Who writes the settings
can read the database anyway.
"""

from kernel.caller import Caller
from services.audit.errors import SystemAuditorRequired


class SystemAuditors:
    """The people, by id."""

    def __init__(self, named: str) -> None:
        self._people = frozenset(named.replace(",", " ").split())

    def require(self, caller: Caller) -> None:
        """Raise SystemAuditorRequired unless the caller is one of them."""
        if caller.person not in self._people:
            raise SystemAuditorRequired
