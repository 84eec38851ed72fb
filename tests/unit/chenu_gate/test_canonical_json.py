"""The bytes of a document, against a library that does nothing else."""

import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from chenu_gate.canonical_json import MAX_INTEGER, encode

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
# Where code points and UTF-16 units are sorted differently.
KEYS = TEXTS | st.text(st.sampled_from("a\ud7ff\ue000\uffff\U00010000\U0010ffff"), max_size=3)
SCALARS = TEXTS | st.integers(-MAX_INTEGER, MAX_INTEGER) | st.booleans() | st.none()
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=20
)


@given(DOCUMENTS)
@example({"\ue000": 1, "\U00010000": 2})
@example({"".join(map(chr, range(0x20))): "".join(map(chr, range(0x20))) + '\x7f"\\/\u2028'})
def test_the_bytes_are_those_of_rfc_8785(document: object) -> None:
    assert encode(document) == rfc8785.dumps(document)  # type: ignore[arg-type]
