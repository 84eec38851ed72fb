"""The labelled sentences: what they ask for, and whether a person has to approve it."""

from pathlib import Path
from typing import NamedTuple

TUNED = ("corpus_en", "corpus_fr", "corpus_disguised", "corpus_indirect")
# Each was written before its rules were looked at again, run once, and only then mended.
FIRST_SEEN_AFTERWARDS = (
    "held_out_en", "held_out_fr", "second_look_en", "second_look_fr",
    "third_look_en", "third_look_fr", "last_look_en", "last_look_fr",
)  # fmt: skip
# Without kinds: 900 requests of any manner, and what the rules mended for them must not let pass.
JUDGED = ("fifth_look_en", "fifth_look_fr", "sixth_look")
FILES = TUNED + FIRST_SEEN_AFTERWARDS


class Labelled(NamedTuple):
    kinds: tuple[str, ...]
    gated: bool
    text: str


def _rows(name: str) -> list[list[str]]:
    lines = Path(__file__).with_name(f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def labelled(name: str) -> list[Labelled]:
    return [
        Labelled(tuple(kinds.split("|")), gated == "gated", text)
        for kinds, gated, text in _rows(name)
    ]


def judged(name: str) -> list[tuple[bool, str]]:
    """Whether each sentence is to be gated; nothing is said about its kind."""
    return [(gated == "gated", text) for gated, text in _rows(name)]


def wrappings(group: str) -> list[str]:
    return [text for named, text in _rows("wrappings") if named == group]
