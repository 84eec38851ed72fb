"""The small parts: audit records, page tokens, logs, wake-ups."""

import asyncio
import io
import json
import logging
import random
import sys
from pathlib import Path
from typing import Any

import protovalidate
import pytest
import rfc8785
import structlog
from google.protobuf import json_format
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from chenu.events.v1.audit_event_pb2 import (
    AUDIT_ACTION_CREATE,
    AUDIT_ACTION_DENY,
    PHASE_DONE,
    PHASE_INTENT,
    AuditEvent,
)
from kernel import audit_event, telemetry
from kernel.caller import Caller
from kernel.context import CallContext, background, current, new_id
from kernel.errors import InvalidArgument, InvalidPageToken
from kernel.pagination import PageTokens, page_size
from kernel.settings import SharedSettings
from kernel.telemetry import REDACTED, redact
from kernel.watching import Changes
from tests.unit.kernel.sample import HUMAN, Request


def a_caller(**changes: Any) -> Caller:
    found: dict[str, Any] = {
        "tenant": new_id(), "person": new_id(), "identity": new_id(), "actor": "human",
        "kind": HUMAN, "token_id": new_id(),
    }  # fmt: skip
    return Caller(**(found | changes))


def test_an_audit_record_is_the_canonical_form_of_its_message() -> None:
    chance = random.Random(7)
    words = [
        "",
        "plain",
        'quote " and \\',
        "line\nbreak\ttab",
        "\x00\x1f\x7f",
        "é漢字😀",
        "</script>",
    ]
    for _ in range(300):
        caller = a_caller(agent=chance.choice(["", new_id()]), service=chance.choice(["", "nova"]))
        with background("/chenu.notes.v1.NoteService/CreateNote", caller=caller):
            made = audit_event.record(
                source="notes",
                type="note.created",
                action=chance.choice([AUDIT_ACTION_CREATE, AUDIT_ACTION_DENY]),
                subject="note/1",
                sphere=chance.choice(words),
                reason=chance.choice(words),
                phase=chance.choice([PHASE_INTENT, PHASE_DONE]),
                stream=chance.choice(["", "note/1"]),
                version=chance.choice([0, 1, 2**53 + 1]),
                details={f"key_{n}": chance.choice(words) for n in range(chance.randint(0, 4))},
                targets=["thread/1"] * chance.randint(0, 2),
                decision=chance.choice([None, audit_event.Decision("1", "ALLOW", "é", "2")]),
                before=chance.choice([None, {"title": chance.choice(words)}]),
                after={"title": "a"},
            )
        message = json_format.Parse(made.bytes, AuditEvent())
        protovalidate.validate(message)
        again = json_format.MessageToDict(message, preserving_proto_field_name=True)
        assert rfc8785.dumps(again) == made.bytes
        assert (message.id, message.tenant) == (made.id, caller.tenant)


def test_a_record_of_the_system_belongs_to_whom_it_is_said_to() -> None:
    tenant, identity = new_id(), new_id()
    with background("notes.sweeper"):
        made = audit_event.record(
            source="notes", type="note.expired", action=AUDIT_ACTION_CREATE, subject="note/1",
            tenant=tenant, identity=identity,
        )  # fmt: skip
    event = json.loads(made.bytes)
    assert (event["tenant"], event["identity"]) == (tenant, identity)
    assert event["data"]["actor"] == {"kind": "system"}
    assert event["data"]["method"] == "notes.sweeper"


@pytest.mark.parametrize(
    "details", [{"Key": "x"}, {"a b": "x"}, {"": "x"}, {"n": 1}, {"n": None}, {"x": "y" * 70_000}]
)
def test_facts_that_cannot_be_recorded_are_refused(details: Any) -> None:
    with background("test"), pytest.raises(ValueError, match=r"snake_case|bytes"):
        audit_event.record(
            source="notes", type="note.created", action=AUDIT_ACTION_CREATE, subject="note/1",
            details=details,
        )  # fmt: skip


def test_outside_of_a_call_there_is_no_context() -> None:
    with pytest.raises(LookupError):
        current()
    with background("work") as call:
        assert current() is call
    with pytest.raises(LookupError):
        current()


def test_a_page_token_leads_back_to_its_cursor() -> None:
    pages = PageTokens(b"k" * 32)
    request = Request(text="mine", number=3)
    token = pages.encode({"id": "7", "t": "now"}, request)
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
    again = Request(text="mine", number=3, page_token=token)
    assert pages.decode(token, again) == {"id": "7", "t": "now"}
    assert pages.decode("", request) is None


def test_a_page_token_of_something_else_is_refused() -> None:
    pages = PageTokens(b"k" * 32)
    request = Request(text="mine")
    token = pages.encode({"id": "7"}, request)
    wrong = [
        (token[:-1], request), ("A" + token[1:], request), ("!!", request), ("é", request),
        (token + "AAAA", request), ("x" * 10_000, request), (token, Request(text="yours")),
        (PageTokens(b"other key").encode({"id": "7"}, request), request),
    ]  # fmt: skip
    for forged, asked in wrong:
        if forged == "A" + token[1:] == token:
            continue
        with pytest.raises(InvalidPageToken):
            pages.decode(forged, asked)


def test_a_page_is_never_larger_than_allowed() -> None:
    assert [page_size(n) for n in (0, 1, 200, 10**9)] == [50, 1, 200, 200]
    with pytest.raises(InvalidArgument):
        page_size(-1)


def test_secrets_do_not_reach_a_log_line() -> None:
    line = redact(
        None,
        "info",
        {
            "event": "call", "Authorization": "Bearer x", "password": "p", "session_secret": "s",
            "headers": {"cookie": "c", "accept": "a"}, "note": "eyJhbGciOi...",
            "text": "Bearer abc", "thread": "t",
        },
    )  # fmt: skip
    assert line["event"] == "call"
    assert line["thread"] == "t"
    assert line["headers"] == {"cookie": REDACTED, "accept": "a"}
    for key in ("Authorization", "password", "session_secret", "note", "text"):
        assert line[key] == REDACTED


@pytest.fixture
def _logs_as_they_were() -> Any:
    before, handlers = structlog.get_config(), logging.getLogger().handlers[:]
    yield
    structlog.configure(**before)
    logging.getLogger().handlers[:] = handlers


@pytest.mark.usefixtures("_logs_as_they_were")
@pytest.mark.parametrize("form", ["json", "console"])
def test_a_log_line_carries_the_ids_of_its_call_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: Any
) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    monkeypatch.setattr(trace, "set_tracer_provider", lambda _: None)
    telemetry.configure(SharedSettings(log_format=form, trace_file=tmp_path / "spans"), "notes")
    secret = "hunter2"
    with background("test") as call:
        structlog.get_logger(component="x").info("archived", token=secret)
        structlog.get_logger(component="x").error("failed", exc_info=RuntimeError("boom"))
        logging.getLogger("nats").warning("from a library")
    text = out.getvalue()
    assert call.request_id in text
    assert "boom" in text
    assert "from a library" in text
    assert secret not in text
    if form == "json":
        assert [json.loads(line)["level"] for line in text.splitlines()] == [
            "info", "error", "warning",
        ]  # fmt: skip


@pytest.mark.usefixtures("_logs_as_they_were")
@pytest.mark.parametrize(("wanted", "told"), [({}, None), ({"log_peers": True}, "192.0.2.7")])
def test_a_log_line_tells_from_where_a_call_came_only_where_operators_want_it(
    monkeypatch: pytest.MonkeyPatch, wanted: Any, told: Any
) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    monkeypatch.setattr(trace, "set_tracer_provider", lambda _: None)
    telemetry.configure(SharedSettings(**wanted), "notes")
    structlog.get_logger(component="access").info("call", peer="192.0.2.7")
    assert json.loads(out.getvalue()).get("peer") == told


async def test_whoever_waits_for_a_key_is_woken_by_it_alone() -> None:
    changes = Changes()
    waits = [asyncio.create_task(changes.wait(key, timeout=0.3)) for key in ("a", "a", "b")]
    await asyncio.sleep(0)
    changes.notify("a")
    changes.notify("nobody")
    assert [await wait for wait in waits] == [True, True, False]
    assert not changes._waiting


def test_the_remaining_time_shrinks() -> None:
    assert CallContext("/x").remaining() is None
    left = CallContext("/x", deadline=0.0).remaining()
    assert left is not None
    assert left < 0


def test_a_span_is_begun_only_in_a_trace_that_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "_tracer", TracerProvider().get_tracer("test"))
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    recorded, unrecorded = (f"00-{trace_id}-b7ad6b7169203331-{flags}" for flags in ("01", "00"))
    state = {"tracestate": "vendor=1"}

    def passed_on(**headers: str) -> dict[str, str]:
        with telemetry.server_span("method", headers):
            return telemetry.trace_headers()

    assert passed_on(traceparent=unrecorded, **state) == {"traceparent": unrecorded} | state
    own = passed_on(traceparent=recorded, **state)["traceparent"]
    assert own.split("-")[1] == trace_id
    assert own != recorded
    for begun in (passed_on(), passed_on(traceparent="nonsense")):
        assert begun["traceparent"].split("-")[1] not in (trace_id, "0" * 32)
