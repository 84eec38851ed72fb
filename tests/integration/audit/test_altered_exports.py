"""Whatever is changed in an export is found: to the byte, and the first bad record is named."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.verification.verdict import Malformed
from services.audit.exports.manifest import signed
from services.audit.note import NoteSigner
from tests.integration.audit.exports import KINDS, Check, lines_of, places


@pytest.mark.parametrize(("form", "whole"), KINDS)
@settings(max_examples=60)
@given(place=st.integers(0, 10**9), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(
    files: dict[tuple[str, bool], bytes], check: Check, form: str, whole: bool, place: int, bit: int
) -> None:
    honest = files[form, whole]
    at = place % len(honest)  # how long a file is differs from run to run
    changed = bytearray(honest)
    changed[at] ^= 1 << bit
    try:
        assert check(bytes(changed)).problems
    except Malformed:
        assert at < len(lines_of(honest)[0])  # the manifest itself is no JSON any more


@pytest.mark.parametrize(("form", "whole"), KINDS)
def test_a_flipped_bit_where_a_line_begins_or_ends_is_found(
    files: dict[tuple[str, bool], bytes], check: Check, form: str, whole: bool
) -> None:
    honest, begin = files[form, whole], 0
    for number, line in enumerate(lines_of(honest)[:8]):
        for at in (*range(begin, begin + 3), *range(begin + len(line) - 5, begin + len(line))):
            changed = bytearray(honest)
            changed[at] ^= 1 << at % 7
            try:
                assert check(bytes(changed)).problems, f"byte {at} of line {number}"
            except Malformed:
                assert number == 0
        begin += len(line)


@pytest.mark.parametrize(("form", "whole"), KINDS)
@settings(max_examples=40)
@given(data=st.data())
def test_a_record_that_was_changed_removed_or_moved_is_named(
    files: dict[tuple[str, bool], bytes], check: Check, form: str, whole: bool, data: st.DataObject
) -> None:
    honest = files[form, whole]
    known = places(honest, form, whole)
    lines = lines_of(honest)
    nth = data.draw(st.integers(0, len(known) - 2))
    line, index = known[nth]
    changed = [*lines]
    kind = data.draw(st.sampled_from(["edit", "remove", "twice", "swap", "cut"]))
    match kind:
        case "edit":
            changed[line] = lines[line].replace(b'"outcome":"OK"', b'"outcome":"NO"')
        case "remove":
            del changed[line]
        case "twice":
            changed.insert(line, lines[line])
        case "swap":
            other = known[nth + 1][0]
            changed[line], changed[other] = lines[other], lines[line]
        case "cut":
            del changed[line:]
    found = check(b"".join(changed))
    if kind == "twice":  # where the next record belongs, or the tile before it
        assert found.first_bad in {known[nth + 1][1], (index // 256 + 1) * 256}
    else:
        assert found.first_bad == index
    assert len(found.problems) == 1


def test_what_is_appended_is_found(files: dict[tuple[str, bool], bytes], check: Check) -> None:
    for (form, whole), honest in files.items():
        line, index = places(honest, form, whole)[-1]
        found = check(honest + lines_of(honest)[line])
        assert "goes on where the export ends" in found.problems[0]
        assert found.first_bad == index


def test_a_record_that_is_exchanged_with_its_hash_is_found_by_the_root(
    files: dict[tuple[str, bool], bytes], check: Check
) -> None:
    first, *_ = lines_of(files["jsonl", True])
    manifest = json.loads(first)["manifest"]
    signer = NoteSigner("audit.chenu.local/log", Ed25519PrivateKey.generate())
    # Whoever signs anew is found by the pinned key, and without one by nothing: hence exit code 3.
    forged = manifest | {"key": str(signer.verifier_key)}
    data = f"{signed(forged, [signer])}\n".encode() + b"".join(lines_of(files["jsonl", True])[1:])
    assert check(data).exit_code == 1
    assert "the tree head is not signed" in check(data, pinned=False).problems[0]
