"""Session secrets: whose session one is of."""

from typing import Final

from kernel.caller import Caller
from kernel.context import current
from kernel.database import Database
from kernel.errors import Forbidden
from kernel.grouped_write import GroupedWriter
from services.identity.errors import SessionInvalid
from services.identity.secret_tokens import digest
from services.identity.settings import IdentitySettings
from services.identity.users import person

# A person's client, or the gateway on its behalf. No service that works for an agent stands
# between a person and a vote.
_DOORS: Final = ("", "gateway")


class SessionSecrets:
    """Reads the sessions of all secrets that are presented at once by one statement."""

    def __init__(self, database: Database, settings: IdentitySettings) -> None:
        self._find = GroupedWriter(database, "identity.find_holder")
        self._offset = f"{settings.clock_offset.total_seconds()} seconds"

    async def present(self, caller: Caller, session_secret: str) -> None:
        """Raise SessionInvalid unless the secret is that of the caller's session."""
        holder, _ = await self.holder(session_secret, "")
        if (holder.person, holder.session) != (caller.person, caller.session):
            raise SessionInvalid

    async def holder(self, session_secret: str, identity_id: str) -> tuple[Caller, list[str]]:
        """The person whose session it is, with the roles of today, and how they were authenticated.

        Acts under the session's own identity where none is given; Forbidden where the given one
        is not theirs, SessionInvalid where no session that lives has the secret.
        """
        call = current()
        if call.caller.service not in _DOORS:
            raise Forbidden(subject=f"service/{call.caller.service}")
        found = await self._find.write(
            call.caller,
            {
                "secret_hash": digest(session_secret).hex(),
                "identity": identity_id or None,
                "clock_offset": self._offset,
            },
        )
        if not found or found["roles"] is None:
            raise SessionInvalid
        if not found["holds_identity"]:
            raise Forbidden(subject=f"identity/{found['identity']}")
        roles = tuple(found["roles"])
        holder = person(
            found["tenant"], found["person"], found["identity"], roles, found["session"]
        )
        return holder, found["amr"]
