"""Which one thing a word means. A rule: nothing is done to what is not exactly one thing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

# Of the titles that hold a reference, also within a word, `GetContext` gives the latest so many.
_GIVEN: Final = 20


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something a reference may mean, as the frozen context knows it."""

    type: str
    id: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A reference that means nothing known, or several things."""

    type: str
    reference: str
    candidates: tuple[Candidate, ...]


def resolve(reference: str, kind: str, candidates: Iterable[Candidate]) -> Candidate | Unresolved:
    """The one candidate that the reference means, by id, else by name, else by a part of it.

    A better kind of match hides the lesser ones: an exact title wins over titles
    that contain it. Two of the same kind are ambiguous, whatever their order.
    """
    known = {c.id: c for c in candidates if c.type == kind}
    wanted = _folded(reference)
    matches: Sequence[Candidate] = ()
    if wanted:
        by_id = [c for c in known.values() if c.id == reference.strip().lower()]
        by_name = [c for c in known.values() if _folded(c.name) == wanted]
        by_part = [c for c in known.values() if _contains(_folded(c.name), wanted)]
        holding = [c for c in known.values() if wanted in _folded(c.name)]
        # So many hold it that one more may have been left out.
        by_part = by_part if len(holding) < _GIVEN else holding
        matches = by_id or by_name or by_part
    if len(matches) == 1:
        return matches[0]
    return Unresolved(kind, reference, tuple(sorted(matches, key=lambda c: c.id)))


def likely(reference: str, found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of all that a reference may mean, what `resolve` needs to see that it means several."""
    wanted = _folded(reference)
    best = [f for f in found if wanted == _folded(f["name"]) or f["id"] == reference.lower()]
    return (best + [f for f in found if f not in best])[:_GIVEN]


def question(unresolved: Sequence[Unresolved]) -> str:
    """What to ask the person back; says what each reference might mean."""
    lines = []
    for item in unresolved:
        if not item.candidates:
            lines.append(
                f"I know no {item.type} called “{item.reference}”. "
                f"Which {item.type} do you mean? Nothing was done."
            )
            continue
        names = "; ".join(f"“{c.name}” ({c.id})" for c in item.candidates[:10])
        lines.append(
            f"“{item.reference}” could be {len(item.candidates)} {_several(item.type)}: {names}. "
            "Which one do you mean? Nothing was done."
        )
    return "\n".join(lines)


def _several(kind: str) -> str:
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def bare(reference: str) -> str:
    """The reference without the quotation marks and stops around it."""
    return " ".join(reference.split()).strip("\"'“”«»‘’ .,;:!?")


def _folded(text: str) -> str:
    return bare(text).casefold()


def _contains(name: str, part: str) -> bool:
    """Whole words only: “art” is not a part of “Quarterly”."""
    return f" {part} " in f" {name} "
