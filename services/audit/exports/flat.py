"""The forms for other programs and people: OCSF and CSV. They cannot be verified, and say so."""

import csv
import io
import json
from datetime import datetime
from typing import Any, Final

from chenu.audit.v1.export_pb2 import ExportFormat
from services.audit.exports.manifest import canonical

_COLUMNS: Final = (
    "index", "time", "logged", "type", "action", "subject", "actor_kind", "person", "agent",
    "service", "identity", "sphere", "method", "outcome", "reason", "request_id", "stream",
    "version", "details",
)  # fmt: skip
# OCSF 1.4, class 6003: what an activity is called there.
_ACTIVITIES: Final = {"CREATE": 1, "READ": 2, "UPDATE": 3, "DELETE": 4}
_OTHER: Final = 99
# What a spreadsheet would take for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def first_record(form: ExportFormat, manifest: str) -> bytes:
    """The manifest, and for CSV the names of the columns."""
    if form == ExportFormat.EXPORT_FORMAT_CSV:
        return _row(["manifest", manifest]) + _row(_COLUMNS)
    return f"{manifest}\n".encode()


def line(form: ExportFormat, row: Any) -> bytes:
    """One record."""
    event = json.loads(row["leaf"])
    if form == ExportFormat.EXPORT_FORMAT_CSV:
        return _row(_cells(row, event))
    return f"{canonical(_ocsf(row, event))}\n".encode()


def _cells(row: Any, event: dict[str, Any]) -> list[str]:
    data, actor = event["data"], event["data"]["actor"]
    values = {
        "index": row["index"],
        "time": event.get("time", ""),
        "logged": row["log_time"].isoformat(),
        "type": event.get("type", ""),
        "action": _action(data),
        "subject": event.get("subject", ""),
        "actor_kind": actor.get("kind", ""),
        "person": actor.get("person", ""),
        "agent": actor.get("agent", ""),
        "service": actor.get("service", ""),
        "identity": event.get("identity", ""),
        "details": canonical(data.get("details", {})),
    }
    return [str(values.get(name, data.get(name, ""))) for name in _COLUMNS]


def _row(cells: Any) -> bytes:
    written = io.StringIO()
    safe = [f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells]
    csv.writer(written, lineterminator="\r\n").writerow(safe)
    return written.getvalue().encode()


def _action(data: dict[str, Any]) -> str:
    return str(data.get("action", "")).removeprefix("AUDIT_ACTION_")


def _ocsf(row: Any, event: dict[str, Any]) -> dict[str, Any]:
    data, actor = event["data"], event["data"]["actor"]
    activity = _ACTIVITIES.get(_action(data), _OTHER)
    outcome = data.get("outcome", "")
    return {
        "activity_id": activity,
        "activity_name": _action(data).replace("_", " ").capitalize(),
        "category_uid": 6,
        "category_name": "Application Activity",
        "class_uid": 6003,
        "class_name": "API Activity",
        "type_uid": 600_300 + activity,
        "severity_id": 1 if outcome in ("", "OK") else 3,
        "status_id": 1 if outcome in ("", "OK") else 2,
        "status": "Success" if outcome in ("", "OK") else "Failure",
        "status_code": outcome,
        "status_detail": data.get("reason", ""),
        "time": _milliseconds(event, row),
        "logged_time": int(row["log_time"].timestamp() * 1000),
        "actor": {"user": {"uid": actor.get("person", ""), "type": actor.get("kind", "")}},
        "api": {
            "operation": data.get("method", ""),
            "request": {"uid": data.get("request_id", "")},
            "service": {"name": event.get("source", "")},
        },
        "resources": [{"uid": event.get("subject", "")}],
        "src_endpoint": {"svc_name": actor.get("service", "") or event.get("source", "")},
        "metadata": {
            "version": "1.4.0",
            "uid": event.get("id", ""),
            "event_code": event.get("type", ""),
            "sequence": row["index"],
            "tenant_uid": event.get("tenant", ""),
            "correlation_uid": data.get("trace_id", ""),
            "product": {"name": "CHE·NU", "vendor_name": "CHE·NU"},
        },
        "unmapped": {"event": event},
    }


def _milliseconds(event: dict[str, Any], row: Any) -> int:
    try:
        return int(datetime.fromisoformat(event["time"]).timestamp() * 1000)
    except (KeyError, ValueError, TypeError):
        return int(row["log_time"].timestamp() * 1000)
