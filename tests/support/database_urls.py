"""How the tests reach a service's part of the database."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DatabaseUrls:
    """One service's two roles, and the superuser who migrates."""

    app: str
    worker: str
    admin: str
