"""The folder of token keys: made, rotated, retired, whatever happens in between."""

import json
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from kernel.settings import SettingsError
from services.identity.token_keys import TokenKeys

LEAD, OVERLAP = timedelta(minutes=2), timedelta(hours=49)


def keys(folder: Path, **passed: float) -> TokenKeys:
    made = TokenKeys(folder, lead=LEAD, overlap=OVERLAP, offset=timedelta(**passed))
    made.ensure()
    return made


def names(folder: Path) -> list[str]:
    return sorted(p.name.partition("Z")[2] for p in folder.iterdir() if p.name != ".lock")


def test_the_first_key_signs_at_once_and_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    first = keys(tmp_path / "tokens")
    assert list(first.published()) == [first.signing.kid]
    (file,) = (tmp_path / "tokens").glob("*.pem")
    assert file.stat().st_mode & 0o777 == 0o600
    assert keys(tmp_path / "tokens").signing.kid == first.signing.kid


def test_many_starting_at_once_make_one_key(tmp_path: Path) -> None:
    folder, kids = tmp_path / "tokens", set()
    threads = [
        threading.Thread(target=lambda: kids.add(keys(folder).signing.kid)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kids) == 1


def test_a_rotated_key_signs_after_its_lead_and_the_old_one_verifies_until_the_overlap_is_over(
    tmp_path: Path,
) -> None:
    now = keys(tmp_path)
    old = now.signing.kid
    new, begins = now.rotate()
    assert (now.signing.kid, list(now.published())) == (old, [new, old])
    assert keys(tmp_path, minutes=1.9).signing.kid == old
    assert keys(tmp_path, minutes=2.1).signing.kid == new
    assert list(keys(tmp_path, hours=49).published()) == [new, old]
    assert list(keys(tmp_path, hours=49, minutes=3).published()) == [new]
    assert begins.tzinfo is not None


def test_retiring_deletes_private_halves_first_and_public_ones_after_the_overlap(
    tmp_path: Path,
) -> None:
    now = keys(tmp_path)
    now.rotate()
    now.retire()
    assert names(tmp_path) == [".pem", ".pem"]
    keys(tmp_path, minutes=3).retire()
    assert names(tmp_path) == [".pem", ".pub.pem"]
    assert len(keys(tmp_path, minutes=3).published()) == 2
    keys(tmp_path, hours=50).retire()
    assert names(tmp_path) == [".pem"]


def test_several_rotations_at_once_lose_no_key(tmp_path: Path) -> None:
    now = keys(tmp_path)
    kids = [now.signing.kid, *(now.rotate()[0] for _ in range(5))]
    assert list(now.published()) == kids[::-1]
    later = keys(tmp_path, minutes=3)
    later.retire()
    assert later.signing.kid == kids[-1]
    assert list(later.published()) == kids[::-1]


def test_a_clock_that_went_back_makes_no_older_key(tmp_path: Path) -> None:
    keys(tmp_path, days=1)
    new, _ = keys(tmp_path).rotate()
    assert keys(tmp_path, days=2).signing.kid == new


def test_another_process_notices_a_rotation(tmp_path: Path) -> None:
    ours, theirs = keys(tmp_path), keys(tmp_path)
    assert list(ours.published()) == list(theirs.published())
    new, _ = theirs.rotate()
    assert next(iter(ours.published())) == new


def test_a_crash_between_the_halves_changes_nothing(tmp_path: Path) -> None:
    now = keys(tmp_path)
    old = now.signing.kid
    new, _ = now.rotate()
    (oldest, _) = sorted(tmp_path.glob("*.pem"))
    text = oldest.read_bytes()
    later = keys(tmp_path, minutes=3)
    later.retire()
    oldest.write_bytes(text)  # as if the process had died before deleting it
    assert later.signing.kid == new
    assert list(later.published()) == [new, old]
    later.retire()
    assert names(tmp_path) == [".pem", ".pub.pem"]


def test_what_a_crash_left_half_written_is_no_key(tmp_path: Path) -> None:
    now = keys(tmp_path)
    (tmp_path / ".20991231T000000.000000Z.pem.new").write_text("half a k")
    assert list(keys(tmp_path).published()) == [now.signing.kid]


async def test_the_key_set_names_public_halves_only(tmp_path: Path) -> None:
    now = keys(tmp_path)
    now.rotate()
    published = json.loads(await now.key_set())["keys"]
    assert [set(key) for key in published] == [{"kty", "crv", "x", "kid", "alg", "use"}] * 2


def test_a_folder_that_may_not_be_written_is_served_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = keys(tmp_path)
    now.rotate()
    monkeypatch.setattr("os.access", lambda *_: False)
    keys(tmp_path, hours=50).retire()
    assert names(tmp_path) == [".pem", ".pem"]


def test_a_file_that_is_no_key_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "20260101T000000.000000Z.pem").write_text("no key")
    with pytest.raises(SettingsError, match="holds no Ed25519 key"):
        _ = keys(tmp_path).signing
