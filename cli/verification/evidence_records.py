"""The records of a log that evidence brings along, each of them proved."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cli.verification.verdict import Tampered

GOVERNANCE = "chenu/governance"


@dataclass(frozen=True)
class Record:
    """A record at its place in the log."""

    index: int
    event: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """Its type without the prefix: "decision.made"."""
        return str(self.event["type"]).removeprefix("chenu.governance.")

    @property
    def data(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.event["data"]
        return found

    @property
    def details(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self.data.get("details", {})
        return found

    @property
    def actor(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self.data["actor"]
        return found

    @property
    def version(self) -> int:
        """Its place in its stream, 0 where it is in none."""
        return int(self.data.get("version", 0))

    @property
    def time(self) -> datetime:
        return datetime.fromisoformat(self.event["time"])

    def wrong(self, what: str) -> Tampered:
        """What this record shows to be wrong."""
        return Tampered(self.index, what)

    def agree(self, of: str, **said: str | None) -> None:
        """Raise Tampered unless its details are what the document says; empty is left out."""
        for name, value in said.items():
            if self.details.get(name, "") != (value or ""):
                raise self.wrong(
                    f"of {of} the log says {name} {self.details.get(name, 'nothing')!r},"
                    f" the document {value or 'nothing'!r}"
                )


class Records:
    """All of them, in the order of the log."""

    def __init__(self) -> None:
        self._all: list[Record] = []

    def add(self, index: int, leaf: bytes) -> None:
        """Take in a record that is proved; Tampered for one that is no event."""
        try:
            self._all.append(Record(index, json.loads(leaf)))
        except (ValueError, RecursionError):
            raise Tampered(index, "it is not written as an event is") from None

    def of(self, subject: str) -> Iterator[Record]:
        """Governance's own records about a subject."""
        return (
            one
            for one in self._all
            if one.event["subject"] == subject and one.event["source"] == GOVERNANCE
        )

    def one(self, kind: str, subject: str) -> Record:
        """The one record of its kind."""
        found = [one for one in self.of(subject) if one.kind == kind]
        if len(found) != 1:
            raise Tampered(None, f"the log has {len(found)} records {kind} of {subject}, not one")
        return found[0]

    def elsewhere(self, subject: str) -> Iterator[Record]:
        """What other services recorded of a subject."""
        return (
            one
            for one in self._all
            if one.event["source"] != GOVERNANCE
            and subject in (one.event["subject"], *one.data.get("targets", ()))
        )
