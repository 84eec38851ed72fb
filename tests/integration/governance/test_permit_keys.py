"""The keys that sign permits: made once, published, rotated under a running service."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chenu.governance.v1.authorization_service_pb2 import GetPermitKeySetRequest
from chenu_gate.permit import PermitForged, permit_keys, verify
from kernel.settings import SettingsError
from kernel.tokens import SigningKey
from services.governance.permits import PermitKeys
from tests.support.actions import an_action
from tests.support.governance_client import GovernanceClient, allowed
from tests.support.identity import Person

ACTION = an_action()


def accepts(key_set: str, token: str) -> bool:
    try:
        verify(
            token,
            permit_keys(json.loads(key_set)),
            audience="threads",
            action_bytes=ACTION.canonical(),
            now=datetime.now(UTC),
        )
    except PermitForged:
        return False
    return True


async def test_anybody_may_have_the_public_keys_and_nobody_the_private_ones(
    client: GovernanceClient, keys_dir: Path
) -> None:
    answer = await client.authorization.GetPermitKeySet(GetPermitKeySetRequest())

    (key,) = json.loads(answer.jwks)["keys"]
    assert key.keys() == {"kty", "crv", "x", "kid", "alg", "use"}
    assert key == SigningKey.load(keys_dir / "permits" / "current.pem").jwk
    assert (keys_dir / "permits" / "current.pem").stat().st_mode & 0o077 == 0


def test_the_first_key_is_made_once_however_many_start_at_the_same_time(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(PermitKeys.open, [tmp_path / "permits"] * 8))

    assert len({keys.jwks for keys in opened}) == 1
    assert [path.name for path in (tmp_path / "permits").iterdir()] == ["current.pem"]


async def test_a_rotated_key_signs_and_the_retired_one_is_still_published(tmp_path: Path) -> None:
    keys = PermitKeys.open(tmp_path)
    before, _ = keys.permit(ACTION, "d-1", 0, datetime.now(UTC))
    (tmp_path / "current.pem").rename(tmp_path / "retired.pem")
    with pytest.raises(KeyError):
        await keys.reload()
    meanwhile, _ = keys.permit(ACTION, "d-1", 0, datetime.now(UTC))
    SigningKey.generate(tmp_path / "current.pem")

    await keys.reload()

    after, _ = keys.permit(ACTION, "d-1", 0, datetime.now(UTC))
    assert all(accepts(keys.jwks, token) for token in (before, meanwhile, after))
    # Who had only the old key must fetch the new one: the signer has really changed.
    old_only = json.dumps({"keys": [SigningKey.load(tmp_path / "retired.pem").jwk]})
    assert [accepts(old_only, token) for token in (before, meanwhile, after)] == [True, True, False]


def test_a_folder_without_a_current_key_or_with_something_else_in_it_is_an_error(
    tmp_path: Path,
) -> None:
    PermitKeys.open(tmp_path)
    (tmp_path / "broken.pem").write_text("no key")

    with pytest.raises(SettingsError, match=r"broken\.pem holds no Ed25519 key"):
        PermitKeys(tmp_path)
    with pytest.raises(KeyError):
        PermitKeys(tmp_path / "elsewhere")


async def test_a_permit_by_another_key_is_not_governances(
    client: GovernanceClient, person: Person
) -> None:
    answer = await client.authorization.GetPermitKeySet(GetPermitKeySetRequest())
    verdict = await client.ask_one(person, allowed(person))
    stranger = SigningKey(Ed25519PrivateKey.generate())

    assert not accepts(json.dumps({"keys": [stranger.jwk]}), verdict.permit)
    assert not accepts(answer.jwks, verdict.permit[:-4] + "AAAA")
