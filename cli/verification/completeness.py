"""What should be in the log as well: every version of a stream, and every intent's outcome.

No hash tells of what a service never said. But what it did say counts: each event of a stream has
a version, one after another from 1 on, and an effect outside the database is told before and after.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

VERSION_GAP: Final = "VERSION_GAP"
INTENT_WITHOUT_OUTCOME: Final = "INTENT_WITHOUT_OUTCOME"
NOT_LOOKED_FOR: Final = "not looked for: missing versions; it takes an"
UNDER_WAY: Final = timedelta(minutes=15)
"""Younger than this when the newest record was written, an effect may still be going on."""
_TOLD: Final = 20
_VERSION: Final = b'"version":"'
_PHASES: Final = (b'"PHASE_INTENT"', b'"PHASE_OUTCOME"')
_UNREADABLE: Final = (
    ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError,
)  # fmt: skip
_Key = tuple[str, str]


class Completeness:
    """Looks at records in the order of the log.

    `streams` says whether all versions of a stream can be seen; `pruned`, whether its first ones
    may have been taken off the log.
    """

    def __init__(self, *, streams: bool = True, pruned: bool = False) -> None:
        self.streams, self.pruned = streams, pruned
        # By hash: a log has more streams than there is memory for their names.
        self._next: dict[int, int] = {}
        self._ahead: dict[_Key, dict[int, int]] = {}
        self._intents: dict[_Key, list[tuple[int, str]]] = {}
        self._outcomes: dict[int, int] = {}
        self._newest = ""

    def look(self, index: int, leaf: bytes) -> None:
        """Take note of a record."""
        versioned = self.streams and _VERSION in leaf
        phased = any(phase in leaf for phase in _PHASES)
        if not (versioned or phased):
            return
        try:
            event = json.loads(leaf)
            data, source, when = event["data"], str(event["source"]), str(event["time"])
            phase, subject = str(data.get("phase", "")), str(event["subject"])
            stream, version = str(data.get("stream", "")), int(data.get("version", 0))
        except _UNREADABLE:
            return  # poison is in the log as well
        self._newest = max(self._newest, when[:19])
        if versioned and stream and version > 0:
            self._versioned((source, stream), version, index)
        if phase == "PHASE_INTENT":
            self._intent((source, subject), index, when)
        elif phase == "PHASE_OUTCOME":
            self._outcome((source, subject))

    def warnings(self) -> list[str]:
        """What is missing, by name, the first record that shows it, and in words."""
        return [*_few(list(self._gaps())), *_few(list(self._unfinished()))]

    def _versioned(self, key: _Key, version: int, index: int) -> None:
        name = hash(key)
        expected = self._next.get(name, version if self.pruned else 1)
        if version < expected:
            return  # fetched again after a restore, or filled late
        if version > expected:
            self._ahead.setdefault(key, {}).setdefault(version, index)
            self._next[name] = expected
            return
        ahead = self._ahead.get(key, {})
        expected += 1
        while ahead.pop(expected, None) is not None:
            expected += 1
        if not ahead:
            self._ahead.pop(key, None)
        self._next[name] = expected

    def _intent(self, key: _Key, index: int, when: str) -> None:
        if self._outcomes.get(hash(key)):  # fetched late, after its outcome
            self._outcomes[hash(key)] -= 1
            return
        self._intents.setdefault(key, []).append((index, when))

    def _outcome(self, key: _Key) -> None:
        intents = self._intents.get(key)
        if intents is None:
            self._outcomes[hash(key)] = self._outcomes.get(hash(key), 0) + 1
            return
        intents.pop(0)
        if not intents:
            del self._intents[key]

    def _gaps(self) -> Iterator[str]:
        for key, ahead in self._ahead.items():
            (_, stream), missing = key, self._next[hash(key)]
            version = min(ahead)
            yield (
                f"{VERSION_GAP}: record {ahead[version]}: {stream} is at version {version}, and"
                f" version {missing} is nowhere"
            )

    def _unfinished(self) -> Iterator[str]:
        for (_, subject), intents in self._intents.items():
            for index, when in intents:
                if not self._under_way(when):
                    yield (
                        f"{INTENT_WITHOUT_OUTCOME}: record {index}: what was about to happen to"
                        f" {subject} is never said to have ended"
                    )

    def _under_way(self, when: str) -> bool:
        try:
            age: Any = datetime.fromisoformat(self._newest) - datetime.fromisoformat(when[:19])
        except (ValueError, TypeError):
            return False
        return bool(age < UNDER_WAY)


def _few(found: list[str]) -> list[str]:
    kept = found[:_TOLD]
    return [*kept, f"{found[0].split(':')[0]}: {len(found)} in all"] if len(found) > _TOLD else kept
