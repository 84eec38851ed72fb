"""A document of evidence and its records are of one moment, or the document is made again."""

import json
from typing import Any

import pytest

from services.governance.evidence.agreement import told_alike
from services.governance.evidence.errors import EvidenceIncomplete


def row(version: int = 0, end: str = "") -> dict[str, Any]:
    return {
        "decision": {"decision_id": "d"},
        "checkpoint": {"checkpoint_id": "c", "version": version} if version else None,
        "execution": {"state": end} if end else None,
    }


def export(*events: dict[str, Any]) -> bytes:
    lines = [{"manifest": {}}, {"indexes": "0"}, *({"record": event} for event in events)]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def of_decision(what: str, **details: str) -> dict[str, Any]:
    kind = f"chenu.governance.decision.{what}"
    return {"subject": "decision/d", "type": kind, "data": {"details": details}}


def version(number: int) -> dict[str, Any]:
    data = {"stream": "checkpoint/c", "version": str(number)}
    return {"subject": "checkpoint/c", "type": "chenu.governance.checkpoint.voted", "data": data}


MADE = of_decision("made")
UNKNOWN = of_decision("executed", state="UNKNOWN")
SETTLED = of_decision("reconciled", state="FAILED")


@pytest.mark.parametrize(
    ("events", "said", "alike"),
    [
        ([MADE], row(), True),
        ([MADE, version(1), version(2)], row(version=2), True),
        ([MADE, version(1), version(2)], row(version=1), False),
        ([MADE, UNKNOWN], row(end="unknown"), True),
        ([MADE, UNKNOWN], row(), False),
        ([MADE, UNKNOWN, SETTLED], row(end="failed"), True),
        ([MADE, UNKNOWN, SETTLED], row(end="unknown"), False),
    ],
)
def test_what_happened_meanwhile_is_noticed(
    events: list[dict[str, Any]], said: dict[str, Any], alike: bool
) -> None:
    assert told_alike(export(*events), [said]) is alike


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([], row()),
        ([MADE, version(2)], row(version=2)),
        ([MADE, UNKNOWN], row(end="failed")),
        ([UNKNOWN], row(end="unknown")),
    ],
)
def test_what_the_log_does_not_show_is_missed(
    events: list[dict[str, Any]], said: dict[str, Any]
) -> None:
    with pytest.raises(EvidenceIncomplete):
        told_alike(export(*events), [said])
