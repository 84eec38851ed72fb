"""Each row of the table of features that CHE·NU promises has a test that bears its number.

The numbers are those of the comparison of approval systems that the product was designed from;
`ROWS` says in a few words what each of them promises.
"""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
ROWS = {
    1: "a pending decision survives a crash",
    2: "an approval is a resource with an id and an API",
    3: "what waits is listed across runs",
    4: "what waits expires",
    5: "an approval has a validity of its own",
    6: "silence is escalated",
    7: "notifications are built in",
    8: "one decides from a mail or a chat",
    9: "quorum: so many of so many",
    10: "whoever asks cannot approve their own",
    11: "whoever decides must be entitled to it",
    12: "who approved is verified and kept",
    13: "somebody else votes in one's place",
    14: "two reviewers do not collide",
    15: "an action is edited before it is approved",
    16: "an edited action is judged anew",
    17: "many are decided at once, each by its id",
    18: "a standing grant is bounded",
    19: "the reason of a rejection comes back typed",
    20: "a decision is bound to the exact action",
    21: "a decision is bound to a revision of the rules",
    22: "the view is rendered from the bound bytes, and bound itself",
    23: "a decision is consumed once",
    24: "executors check signed permits offline",
    25: "an unknown outcome is a state",
    26: "a resumed run repeats nothing",
    27: "what waits stays with its rules",
    28: "rules are declared in a language",
    29: "rules can be tried in the shadow",
    30: "a candidate is replayed over real history",
    31: "what is not known waits or is refused",
    33: "decisions are audited",
    36: "the real outcome is recorded",
    38: "changes are streamed live",
    39: "asking and deciding are idempotent",
    40: "a brake voids what was permitted",
}
_NAMED = re.compile(r"(?m)^(?:async )?def (test_row_((?:\d+_and_)*\d+)_\w+)")


def rows_tried() -> dict[int, list[str]]:
    """The tests that bear a number, by it."""
    found: dict[int, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for name, numbers in _NAMED.findall(path.read_text(encoding="utf-8")):
            for number in numbers.split("_and_"):
                found.setdefault(int(number), []).append(f"{path.relative_to(TESTS)}::{name}")
    return found


def test_each_row_has_a_test_that_bears_its_number() -> None:
    assert rows_tried().keys() == ROWS.keys()
