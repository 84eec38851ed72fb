"""Signed notes and tree heads, against the specification's words and the reference vectors."""

import hashlib
from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from kernel.receipts import (
    ReceiptInvalid,
    TreeHead,
    VerifierKey,
    open_note,
    open_tree_head,
    split_note,
)
from services.audit.note import NoteSigner, sign_note, sign_tree_head

# The sample in the specification of signed notes, which gives no key for it.
SPECIFICATION_SAMPLE = (
    "Ognuno sta solo sul cuor della terra\n"
    "trafitto da un raggio di sole:\n"
    "\n"
    "ed è subito sera.\n"
    "\n"
    "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMou"
    "FSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)
# The reference implementation's key, text and signature.
REFERENCE_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
REFERENCE_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
REFERENCE_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6"
    "KE6RyyBwJnAM=\n"
)
ROOT = bytes(range(32))


def signer_of(name: str = "log.example/chenu") -> NoteSigner:
    return NoteSigner(name, Ed25519PrivateKey.generate())


def second_opinion(note: bytes, name: str, public_key: bytes) -> bytes:
    """The note's text if this key signed it: written apart from ours, from the specification."""
    end = note.rindex(b"\n\n") + 1
    text, lines = note[:end], note[end + 1 :].splitlines()
    mark = hashlib.sha256(name.encode() + b"\x0a\x01" + public_key).digest()[:4]
    for line in lines:
        dash, signed_by, encoded = line.split(b" ")
        assert dash == bytes.fromhex("e28094")
        blob = b64decode(encoded)
        if (signed_by, blob[:4]) == (name.encode(), mark):
            Ed25519PublicKey.from_public_bytes(public_key).verify(blob[4:], text)
            return text
    raise AssertionError("not signed by this key")


def test_the_specification_sample_is_split_where_it_says() -> None:
    text, signatures = split_note(SPECIFICATION_SAMPLE)
    assert text.endswith("sole:\n\ned è subito sera.\n")
    [(name, key_id, signature)] = signatures
    assert (name, key_id.hex(), len(signature)) == ("quasimodo.example/salvatore", "367ba04b", 64)


def test_the_reference_note_opens_with_its_key() -> None:
    key = VerifierKey.parse(REFERENCE_KEY)
    assert key.id.hex() == "c74f20a3"
    assert str(key) == REFERENCE_KEY
    assert open_note(f"{REFERENCE_TEXT}\n{REFERENCE_LINE}", [key]) == REFERENCE_TEXT


@given(text=st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_what_we_sign_opens_here_and_by_a_second_implementation(text: str) -> None:
    signer = signer_of()
    note = sign_note(f"{text}\n", [signer])
    assert open_note(note, [signer.verifier_key]) == f"{text}\n"
    key = signer.verifier_key
    assert second_opinion(note.encode(), key.name, key.public_key) == f"{text}\n".encode()


def test_a_changed_text_is_refused() -> None:
    signer = signer_of()
    note = sign_note("ten\n", [signer]).replace("ten", "tea")
    with pytest.raises(ReceiptInvalid, match="is wrong"):
        open_note(note, [signer.verifier_key])


def test_signatures_of_unknown_keys_are_ignored() -> None:
    ours, other, namesake = signer_of(), signer_of("witness.example/w1"), signer_of()
    note = sign_note("text\n", [other, namesake, ours])
    broken = note.replace(other.signature_line("text\n"), other.signature_line("else\n"))
    assert open_note(broken, [ours.verifier_key]) == "text\n"


def test_a_note_that_no_trusted_key_signed_is_refused() -> None:
    note = sign_note("text\n", [signer_of()])
    for keys in ([], [signer_of().verifier_key], [signer_of("witness.example/w1").verifier_key]):
        with pytest.raises(ReceiptInvalid, match="no trusted key"):
            open_note(note, keys)


def test_a_wrong_signature_of_a_known_key_rejects_the_note_whatever_else_vouches() -> None:
    log, witness = signer_of(), signer_of("witness.example/w1")
    text = "text\n"
    note = f"{text}\n{log.signature_line(text)}{witness.signature_line('else')}"
    assert open_note(note, [log.verifier_key]) == "text\n"
    with pytest.raises(ReceiptInvalid, match=r"witness\.example/w1 is wrong"):
        open_note(note, [log.verifier_key, witness.verifier_key])


def test_a_hundred_signatures_are_read_and_no_more() -> None:
    signers = [signer_of(f"witness.example/w{number}") for number in range(100)]
    note = sign_note("text\n", signers)
    assert open_note(note, [signers[-1].verifier_key]) == "text\n"
    with pytest.raises(ReceiptInvalid):
        open_note(note + signer_of().signature_line("text\n"), [signers[0].verifier_key])


def test_a_longer_signature_of_another_kind_does_not_disturb() -> None:
    signer = signer_of()
    post_quantum = b64encode(b"\x01\x02\x03\x04" + bytes(4627)).decode()
    note = sign_note("text\n", [signer]) + f"— {signer.name} {post_quantum}\n"
    assert open_note(note, [signer.verifier_key]) == "text\n"


SIGNED = f"{REFERENCE_TEXT}\n{REFERENCE_LINE}"


@pytest.mark.parametrize(
    "note",
    [
        "",
        REFERENCE_TEXT,
        f"{REFERENCE_TEXT}\n",
        SIGNED[:-1],
        SIGNED[:-1] + "x",
        SIGNED + "\n",
        SIGNED + "garbage\n",
        SIGNED.replace("— ", "- "),
        SIGNED.replace("— ", "—  "),
        SIGNED.replace("— PeterNeumann", "— Peter Neumann"),
        SIGNED.replace("— PeterNeumann", "— Peter+Neumann"),
        SIGNED.replace("— PeterNeumann", "— Peter\N{NO-BREAK SPACE}Neumann"),
        SIGNED.replace("— PeterNeumann", "— "),
        SIGNED.replace("nAM=\n", "nAN=\n"),
        SIGNED.replace("nAM=\n", "nAM\n"),
        SIGNED.replace("nAM=\n", "nAM==\n"),
        SIGNED.replace("x08go", "x08g-"),
        SIGNED + "— other.example AAAAAA==\n",
        SIGNED.replace("\n", "\r\n"),
        SIGNED.replace("you", "you\x00"),
        SIGNED.replace("you", "you\t"),
        SIGNED.replace("you", "you\x1f"),
        SIGNED.replace("you", "you\ud800"),
    ],
)
def test_a_malformed_note_is_refused(note: str) -> None:
    with pytest.raises(ReceiptInvalid):
        open_note(note, [VerifierKey.parse(REFERENCE_KEY)])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PeterNeumann",
        REFERENCE_KEY.replace("PeterNeumann", ""),
        REFERENCE_KEY.replace("Peter", "Peter "),
        REFERENCE_KEY.replace("Peter", "Piotr"),
        REFERENCE_KEY.replace("c74f20a3", "c74f20a4"),
        REFERENCE_KEY.replace("c74f20a3", "C74F20A3"),
        REFERENCE_KEY.replace("+ARpc", "+BRpc"),
        REFERENCE_KEY[:-4],
        REFERENCE_KEY + "\n",
        str(VerifierKey("PeterNeumann", bytes(31))),
    ],
)
def test_a_malformed_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(ReceiptInvalid):
        VerifierKey.parse(text)


@pytest.mark.parametrize(
    "text",
    ["", "no newline", "a\rb\n", "bell\x07\n", pytest.param("x" * 1_000_000 + "\n", id="too long")],
)
def test_a_text_that_nobody_could_open_is_not_signed(text: str) -> None:
    with pytest.raises(ReceiptInvalid):
        sign_note(text, [signer_of()])


@pytest.mark.parametrize("name", ["", "two words", "a+b", "a\N{EM SPACE}b"])
def test_a_signer_whose_name_does_not_fit_a_line_signs_nothing(name: str) -> None:
    with pytest.raises(ReceiptInvalid):
        sign_note("text\n", [signer_of(name)])


def test_a_note_needs_a_signer() -> None:
    with pytest.raises(ReceiptInvalid):
        sign_note("text\n", [])


def test_a_tree_head_returns_from_its_note() -> None:
    signer = signer_of()
    head = TreeHead(signer.name, 20_852_163, ROOT)
    note = sign_tree_head(head, [signer, signer_of("witness.example/w1")])
    assert note.startswith(f"{signer.name}\n20852163\nAAECAwQF")
    assert open_tree_head(note, [signer.verifier_key]) == head


def test_only_a_key_of_the_origin_vouches_for_a_tree_head() -> None:
    log, witness = signer_of(), signer_of("witness.example/w1")
    note = sign_tree_head(TreeHead(log.name, 5, ROOT), [witness])
    with pytest.raises(ReceiptInvalid, match="no trusted key"):
        open_tree_head(note, [log.verifier_key, witness.verifier_key])


def test_during_a_key_rotation_either_key_of_the_log_is_enough() -> None:
    old, new = signer_of(), signer_of()
    head = TreeHead(old.name, 5, ROOT)
    for signers in ([old], [new], [old, new]):
        note = sign_tree_head(head, signers)
        assert open_tree_head(note, [old.verifier_key, new.verifier_key]) == head


@pytest.mark.parametrize(
    "text",
    [
        "log.example\n5\n",
        f"log.example\n05\n{b64encode(ROOT).decode()}\n",
        f"log.example\n-5\n{b64encode(ROOT).decode()}\n",
        f"log.example\n\N{ARABIC-INDIC DIGIT FIVE}\n{b64encode(ROOT).decode()}\n",
        f"log.example\n{10**18}\n{b64encode(ROOT).decode()}\n",
        f"\n5\n{b64encode(ROOT).decode()}\n",
        f"log example\n5\n{b64encode(ROOT).decode()}\n",
        f"log.example\n5\n{b64encode(ROOT[:-1]).decode()}\n",
        f"log.example\n5\n{b64encode(ROOT).decode()}\nextension\n",
        f"log.example\n5\n{b64encode(ROOT).decode()}",
    ],
)
def test_a_malformed_tree_head_is_refused_although_signed(text: str) -> None:
    with pytest.raises(ReceiptInvalid):
        TreeHead.parse(text)
    signer = signer_of("log.example")
    note = f"{text}\n{signer.signature_line(text)}"
    with pytest.raises(ReceiptInvalid):
        open_tree_head(note, [signer.verifier_key])
