"""Whether the log tells what the rows say, neither less nor more. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from services.governance.evidence.errors import EvidenceIncomplete
from services.governance.messages import Row

_MADE: Final = "chenu.governance.decision.made"
_ENDINGS: Final = ("chenu.governance.decision.executed", "chenu.governance.decision.reconciled")


def told_alike(export: bytes, rows: Iterable[Row]) -> bool:
    """Whether an export of the log (JSON lines) has no later record than the rows know of.

    EvidenceIncomplete where it lacks one that led to what they say.
    """
    lines = (json.loads(line).get("record") for line in export.splitlines())
    events = [event for event in lines if event]
    told = [_told(events, row) for row in rows]
    if any(missing for missing, _ in told):
        raise EvidenceIncomplete
    return not any(more for _, more in told)


def _told(events: Iterable[Mapping[str, Any]], row: Row) -> tuple[bool, bool]:
    """Whether the events lack something that the row says, and whether they say more."""
    subject = f"decision/{row['decision']['decision_id']}"
    own = [event for event in events if event["subject"] == subject]
    ends = [event["data"]["details"]["state"] for event in own if event["type"] in _ENDINGS]
    end = row["execution"]["state"].upper() if row["execution"] else None
    missing = all(event["type"] != _MADE for event in own) or (end is not None and end not in ends)
    more = bool(ends) and ends[-1] != end
    if gate := row["checkpoint"]:
        stream = f"checkpoint/{gate['checkpoint_id']}"
        versions = {
            int(event["data"]["version"])
            for event in events
            if event["data"].get("stream") == stream
        }
        known = set(range(1, gate["version"] + 1))
        missing, more = missing or bool(known - versions), more or bool(versions - known)
    return missing, more
