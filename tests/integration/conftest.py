"""What the tests of every service share: somebody of their own, and a look past all guards."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from kernel.database import set_codecs
from tests.support.database_urls import DatabaseUrls
from tests.support.identity import Metadata, Person, StandInIdentity


@pytest.fixture
def person() -> Person:
    return Person()


@pytest.fixture
def as_human(identity: StandInIdentity, person: Person) -> Metadata:
    """Metadata of a call by the person."""
    return identity.as_human(person)


@pytest.fixture
async def superuser(urls: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    """Sees everything, for looking what really happened."""
    connection = await asyncpg.connect(urls.admin)
    await set_codecs(connection)
    yield connection
    await connection.close()
