from base64 import b64decode, b64encode
from pathlib import Path

import pytest

from services.courier.vault import Vault, VaultKeyMissing

OLD, NEW = b"o" * 32, b"n" * 32


def test_a_sealed_secret_opens_for_its_endpoint_only() -> None:
    vault = Vault([NEW])
    secret = vault.new_secret()

    sealed = vault.seal(secret, "endpoint-1")

    assert vault.unseal(sealed, "endpoint-1") == secret
    assert secret.encode() not in sealed
    with pytest.raises(VaultKeyMissing):
        vault.unseal(sealed, "endpoint-2")


def test_the_same_secret_is_never_sealed_alike() -> None:
    vault = Vault([NEW])

    assert vault.seal("whsec_a", "e") != vault.seal("whsec_a", "e")


def test_keys_change_while_the_old_ones_still_open() -> None:
    sealed = Vault([OLD]).seal("whsec_a", "e")

    changed = Vault([NEW, OLD])

    assert changed.unseal(sealed, "e") == "whsec_a"
    with pytest.raises(VaultKeyMissing):
        Vault([OLD]).unseal(changed.seal("whsec_b", "e"), "e")


@pytest.mark.parametrize("place", [0, 5, 20, -1])
def test_what_was_altered_does_not_open(place: int) -> None:
    vault = Vault([NEW])
    sealed = bytearray(vault.seal("whsec_a", "e"))
    sealed[place] ^= 1

    with pytest.raises(VaultKeyMissing):
        vault.unseal(bytes(sealed), "e")


def test_a_secret_is_as_long_as_standard_webhooks_wants() -> None:
    secret = Vault([NEW]).new_secret()

    assert secret.startswith("whsec_")
    assert 24 <= len(b64decode(secret.removeprefix("whsec_"))) <= 64


def test_a_missing_key_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "courier.secrets"

    sealed = Vault.open_file(path).seal("whsec_a", "e")

    assert path.stat().st_mode & 0o777 == 0o600
    assert Vault.open_file(path).unseal(sealed, "e") == "whsec_a"


@pytest.mark.parametrize("content", ["", b64encode(b"short").decode(), "not base64!"])
def test_a_key_file_that_holds_no_key_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "courier.secrets"
    path.write_text(content)

    with pytest.raises(ValueError, match=r"\S"):
        Vault.open_file(path)
