"""The capacities in which somebody acts: listed, made, and gone on under."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from chenu.identity.v1.auth_service_pb2 import SwitchIdentityResponse
from chenu.identity.v1.identity_pb2 import Identity, IdentityType
from chenu.identity.v1.identity_service_pb2 import CreateIdentityResponse, ListIdentitiesResponse
from cli.session_file import SessionFile
from tests.unit.cli.conftest import Recording, a_session

Chenu = Callable[..., Result]
OWN = Identity(
    identity_id=a_session().identity_id,
    display_name="Ada",
    type=IdentityType.IDENTITY_TYPE_PERSONAL,
)
SHOP = Identity(
    identity_id="01920000-0000-7000-8000-0000000000b7",
    display_name="Flower shop",
    type=IdentityType.IDENTITY_TYPE_ENTERPRISE,
)


@pytest.fixture(autouse=True)
def two(recording: Recording) -> None:
    recording.answer("ListIdentities", ListIdentitiesResponse(identities=[OWN, SHOP]))


def test_the_one_that_i_act_as_is_marked(chenu: Chenu) -> None:
    listed = chenu("identities", "list").stdout
    (marked,) = [line for line in listed.splitlines() if "you act as" in line]
    assert "Ada" in marked
    assert "enterprise" in listed


def test_another_one_is_made_of_the_type_that_is_wanted(chenu: Chenu, recording: Recording) -> None:
    recording.answer("CreateIdentity", CreateIdentityResponse(identity=SHOP))
    done = chenu("identities", "create", "Flower shop", "--type", "enterprise", "-o", "json")
    assert json.loads(done.stdout)["identity"]["identity_id"] == SHOP.identity_id
    (request,) = recording.calls("CreateIdentity")
    assert (request.display_name, request.type) == (SHOP.display_name, SHOP.type)
    assert chenu("identities", "create", "X", "--type", "royal").exit_code == 2


def test_the_session_goes_on_under_the_other_and_nova_gets_a_new_delegation(
    chenu: Chenu, recording: Recording, state: Path
) -> None:
    given = SwitchIdentityResponse(access_token="access-2", identity=SHOP)
    given.access_expire_time.FromSeconds(int(time.time()) + 1800)
    recording.answer("SwitchIdentity", given)

    switched = chenu("identities", "switch", "flower shop")

    assert switched.stdout.strip() == "You act as Flower shop now."
    assert [one.identity_id for one in recording.calls("SwitchIdentity")] == [SHOP.identity_id]
    session = SessionFile(state / "session.json").load()
    assert (session.identity_id, session.identity_name) == (SHOP.identity_id, "Flower shop")
    assert (session.access_token, session.delegation_token) == ("access-2", "")
    assert session.session_secret == a_session().session_secret
    assert "access-2" not in chenu("identities", "switch", "Flower shop", "-o", "json").stdout


def test_an_identity_that_is_none_of_mine_is_not_asked_for(
    chenu: Chenu, recording: Recording
) -> None:
    assert chenu("identities", "switch", "Palace").exit_code == 2
    assert not recording.calls("SwitchIdentity")
