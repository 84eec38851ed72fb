"""The command on a real stack: what people type, what they get, what programs can read."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.end_to_end.conftest import RunningStack

pytestmark = pytest.mark.timeout(300)


def answer(stack: RunningStack, *arguments: str, code: int = 0) -> dict[str, Any]:
    """What the command says to programs."""
    result = stack.chenu(*arguments, "--output", "json")
    assert result.exit_code == code, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def problem(stack: RunningStack, *arguments: str, code: int) -> dict[str, Any]:
    """What the command says to programs when it fails."""
    result = stack.chenu(*arguments, "--output", "json")
    assert result.exit_code == code, result.output
    document: dict[str, Any] = json.loads(result.stderr)
    return document


def new_thread(stack: RunningStack, title: str) -> str:
    return str(answer(stack, "threads", "create", title)["thread"]["thread_id"])


def blocked(stack: RunningStack, text: str) -> dict[str, Any]:
    """The checkpoint that a request is stopped by."""
    found = problem(stack, "run", text, code=3)
    assert (found["code"], found["reason"]) == ("FAILED_PRECONDITION", "CHECKPOINT_REQUIRED")
    checkpoint: dict[str, Any] = found["block"]["checkpoints"][0]
    return checkpoint | {"run_id": found["block"]["run_id"]}


def title() -> str:
    return f"Papers {uuid4().hex[:8]}"


def test_classify_answers_in_the_words_of_the_contract(stack: RunningStack) -> None:
    intent = answer(stack, "classify", 'Delete the thread "Taxes"')["intent"]
    assert (intent["kind"], intent["requires_checkpoint"]) == ("delete", True)
    assert 0 < intent["confidence"] <= 1
    harmless = answer(stack, "classify", "What are my threads about?")["intent"]
    assert harmless["requires_checkpoint"] is False


def test_an_allowed_request_runs_at_once(stack: RunningStack) -> None:
    name = title()
    run = answer(stack, "run", f'Create a thread called "{name}"')["run"]
    assert run["state"] == "RUN_STATE_SUCCEEDED"
    threads = answer(stack, "threads", "list", "--title", name)["threads"]
    assert [thread["title"] for thread in threads] == [name]
    told = stack.chenu("runs", run["run_id"][-8:])
    assert "succeeded" in told.stdout
    assert "context frozen" in told.stdout


def test_a_blocked_request_goes_on_after_the_approval_and_is_executed_once(
    stack: RunningStack,
) -> None:
    name = title()
    thread_id = new_thread(stack, name)
    checkpoint = blocked(stack, f'Delete the thread "{name}"')
    end = checkpoint["checkpoint_id"][-8:]
    inbox = answer(stack, "inbox")["checkpoints"]
    assert checkpoint["checkpoint_id"] in {one["checkpoint_id"] for one in inbox}
    shown = answer(stack, "show", end)["checkpoint"]
    assert shown["etag"] == checkpoint["view_digest"]
    approved = stack.chenu("approve", end, "--comment", "yes", "--wait")
    assert approved.exit_code == 0, approved.output
    assert "pipeline.complete" in approved.stdout
    gone = problem(stack, "threads", "show", thread_id, code=4)
    assert (gone["code"], gone["reason"]) == ("PERMISSION_DENIED", "FORBIDDEN")
    votes = answer(stack, "show", checkpoint["checkpoint_id"])["checkpoint"]["votes"]
    assert [(vote["option_id"], vote["comment"]) for vote in votes] == [("approve", "yes")]


def test_people_see_what_would_run_and_that_it_was_checked_here(stack: RunningStack) -> None:
    name = title()
    new_thread(stack, name)
    checkpoint = blocked(stack, f'Delete the thread "{name}"')
    told = stack.chenu("show", checkpoint["checkpoint_id"]).stdout
    assert f"Delete thread “{name}”" in told
    assert "What is deleted cannot be brought back." in told
    assert "checked here: the view is what the action's own bytes say" in told
    assert checkpoint["view_digest"] in told


def test_people_read_the_status_and_what_to_type_next_when_blocked(stack: RunningStack) -> None:
    name = title()
    new_thread(stack, name)
    result = stack.chenu("run", f'Delete the thread "{name}"')
    assert result.exit_code == 3
    assert "FAILED_PRECONDITION · CHECKPOINT_REQUIRED" in result.stderr
    assert "next: chenu show " in result.stderr


def test_a_rejected_run_says_so_and_has_done_nothing(stack: RunningStack) -> None:
    name = title()
    thread_id = new_thread(stack, name)
    checkpoint = blocked(stack, f'Transfer the thread "{name}" to business')
    rejected = answer(stack, "reject", checkpoint["checkpoint_id"], "--comment", "stay")
    assert rejected["checkpoint"]["state"] == "CHECKPOINT_STATE_REJECTED"
    assert stack.chenu("watch", checkpoint["run_id"]).exit_code == 4
    thread = answer(stack, "threads", "show", thread_id)["thread"]
    assert thread["sphere"] == "SPHERE_PERSONAL"


def test_a_vote_on_another_view_is_refused(stack: RunningStack) -> None:
    name = title()
    new_thread(stack, name)
    checkpoint = blocked(stack, f'Delete the thread "{name}"')
    stale = "sha256:" + "0" * 64
    refused = problem(stack, "approve", checkpoint["checkpoint_id"], "--etag", stale, code=1)
    assert (refused["code"], refused["reason"]) == ("ABORTED", "ETAG_MISMATCH")
    start = checkpoint["view_digest"][:20]
    assert stack.chenu("approve", checkpoint["checkpoint_id"], "--etag", start).exit_code == 0


def test_a_run_and_a_checkpoint_can_be_cancelled(stack: RunningStack) -> None:
    name = title()
    new_thread(stack, name)
    checkpoint = blocked(stack, f'Delete the thread "{name}"')
    withdrawn = answer(stack, "cancel", "--checkpoint", checkpoint["checkpoint_id"])
    assert withdrawn["checkpoint"]["state"] == "CHECKPOINT_STATE_CANCELLED"
    other = blocked(stack, f'Delete the thread "{name}"')
    ended = answer(stack, "cancel", other["run_id"], "--reason", "changed my mind")
    assert ended["run"]["state"] == "RUN_STATE_CANCELLED"


def test_requests_come_one_a_line_from_a_file(stack: RunningStack, tmp_path: Path) -> None:
    name = title()
    lines = tmp_path / "requests.txt"
    lines.write_text(
        f'Create a thread called "{name}"\n\nWhat are my threads about?\n', encoding="utf-8"
    )
    told = stack.chenu("run", "--lines", "--file", str(lines))
    assert told.exit_code == 0, told.output
    assert "2 requests: 2 succeeded" in told.stdout
    delete = stack.chenu("run", "--lines", "-", "-o", "json", text=f'Delete the thread "{name}"\n')
    assert delete.exit_code == 3
    ended = json.loads(delete.stdout)
    assert (ended["line"], ended["error"]["reason"]) == (1, "CHECKPOINT_REQUIRED")


def test_a_request_may_be_started_and_watched(stack: RunningStack) -> None:
    run = answer(stack, "run", "--no-wait", "What are my threads about?")["run"]
    watched = stack.chenu("watch", run["run_id"], "--output", "json")
    assert watched.exit_code == 0, watched.output
    types = [json.loads(line)["event"]["type"] for line in watched.stdout.splitlines()]
    assert types[0] == "pipeline.start"
    assert types[-1] == "pipeline.complete"


def test_threads_are_found_by_title_changed_and_put_away(stack: RunningStack) -> None:
    name = title()
    thread_id = new_thread(stack, name)
    assert stack.chenu("threads", "message", name, "Bring the receipts").exit_code == 0
    assert "Bring the receipts" in stack.chenu("threads", "show", name).stdout
    updated = answer(stack, "threads", "update", name, "--description", "For the office")
    assert updated["thread"]["description"] == "For the office"
    stale = problem(stack, "threads", "update", name, "--title", "x", "--etag", "v0", code=1)
    assert stale["reason"] == "ETAG_MISMATCH"
    archived = answer(stack, "threads", "archive", thread_id[-8:])
    assert archived["thread"]["status"] == "THREAD_STATUS_ARCHIVED"
    assert answer(stack, "threads", "reopen", name)["thread"]["status"] == "THREAD_STATUS_ACTIVE"
    assert answer(stack, "threads", "resolve", name)["thread"]["status"] == "THREAD_STATUS_RESOLVED"
    events = answer(stack, "threads", "events", name)["events"]
    numbers = [int(event["sequence_number"]) for event in events]
    assert numbers == list(range(1, len(events) + 1))


def test_a_webhook_arrives_once_signed_after_the_approval(stack: RunningStack) -> None:
    name = f"Books {uuid4().hex[:8]}"
    made = answer(stack, "endpoints", "add", name, f"{stack.receiver.url}/{uuid4().hex}")
    before = len(stack.receiver.received)
    checkpoint = blocked(stack, f'Send {{"year": 2026}} to the endpoint "{name}"')
    assert len(stack.receiver.received) == before
    assert stack.chenu("approve", checkpoint["checkpoint_id"], "--wait").exit_code == 0
    (message,) = stack.receiver.received[before:]
    assert json.loads(message.body) == {"year": 2026}
    assert message.signed_with(made["secret"])
    assert not message.signed_with("whsec_" + "A" * 32)
    deliveries = answer(stack, "deliveries", "list", "--endpoint", name)["deliveries"]
    assert [one["state"] for one in deliveries] == ["DELIVERY_STATE_SUCCEEDED"]
    settled = problem(
        stack, "deliveries", "reconcile", deliveries[0]["delivery_id"], "--arrived", code=1
    )
    assert settled["reason"] == "DELIVERY_NOT_UNKNOWN"
    assert answer(stack, "endpoints", "update", name, "--disable")["endpoint"]["disabled"] is True
    assert stack.chenu("endpoints", "remove", name).exit_code == 0


def test_an_endpoint_inside_is_refused(stack: RunningStack) -> None:
    refused = problem(stack, "endpoints", "add", "Inside", "http://127.0.0.1:1/", code=1)
    assert refused["reason"] == "URL_REFUSED"


def test_an_agent_is_hired_gets_a_token_and_is_fired(stack: RunningStack) -> None:
    name = f"Filer {uuid4().hex[:8]}"
    hired = answer(stack, "agents", "hire", name)
    secret = {"CHENU_AGENT_SECRET": hired["secret"]}
    token = stack.chenu("agents", "token", name, **secret)
    assert token.exit_code == 0
    assert token.stdout.count(".") == 2
    assert "never" not in stack.chenu("agents", "list").stderr
    assert answer(stack, "agents", "fire", name)["agent"]["fire_time"]
    assert stack.chenu("agents", "token", name, **secret).exit_code == 6


def test_tokens_are_printed_for_other_programs(stack: RunningStack) -> None:
    import jwt

    kinds = {"services": "access+jwt", "nova": "delegation+jwt"}
    for audience, typ in kinds.items():
        token = stack.chenu("token", "--for", audience).stdout.strip()
        assert jwt.get_unverified_header(token)["typ"] == typ
    vote = stack.chenu(
        "token", "--for", "vote", "--checkpoint", str(uuid4()), "--etag", "sha256:" + "0" * 64
    )
    assert jwt.get_unverified_header(vote.stdout.strip())["typ"] == "vote+jwt"


def test_the_log_is_listed_proved_and_verified(stack: RunningStack) -> None:
    entries = answer(stack, "audit", "list", "--limit", "5")["entries"]
    indexes = [int(entry["index"]) for entry in entries]
    assert indexes == sorted(indexes, reverse=True)
    assert stack.chenu("audit", "proof", str(min(indexes))).exit_code == 0
    verified = answer(stack, "audit", "verify")
    assert (verified["verified"], verified["pinned"], verified["problems"]) == (True, True, [])


def test_the_log_without_a_pinned_key_is_said_to_be_unpinned(stack: RunningStack) -> None:
    pin, aside = stack.folder / "log.vkey", stack.folder / "log.vkey.aside"
    pin.rename(aside)
    try:
        result = stack.chenu("audit", "verify")
    finally:
        aside.rename(pin)
    assert result.exit_code == 3
    assert "no key was pinned" in result.stdout


def test_the_rules_in_force_can_be_read(stack: RunningStack) -> None:
    codes = {rule["code"] for rule in answer(stack, "rules")["rules"]}
    assert "destructive_action" in codes


def test_the_doctor_finds_nothing_wrong(stack: RunningStack) -> None:
    checks = answer(stack, "doctor")["checks"]
    assert [one for one in checks if not one["good"]] == []
    assert {"nova", "courier database", "audit lag", "log key"} <= {one["check"] for one in checks}


def test_another_person_sees_nothing_of_it(stack: RunningStack, tmp_path: Path) -> None:
    name = title()
    new_thread(stack, name)
    checkpoint = blocked(stack, f'Delete the thread "{name}"')
    (tmp_path / "endpoints.json").write_text((stack.folder / "endpoints.json").read_text())
    other = RunningStack(tmp_path, stack.receiver, stack.supervisor)
    email = f"{uuid4().hex}@chenu.example"
    register = other.chenu(
        "login", "--register", "--email", email, "--name", "Mal", CHENU_PASSWORD="a-password-1"
    )
    assert register.exit_code == 0, register.output
    assert answer(other, "inbox")["checkpoints"] == []
    for command in (("show",), ("approve",), ("reject",), ("cancel", "--checkpoint")):
        refused = problem(other, *command, checkpoint["checkpoint_id"], code=4)
        assert refused["reason"] == "FORBIDDEN"
    assert other.chenu("logout").exit_code == 0
    assert other.chenu("whoami").exit_code == 6


def test_an_expired_access_token_is_renewed_by_itself_once(stack: RunningStack) -> None:
    path = stack.folder / "session.json"
    session = json.loads(path.read_text())
    session |= {"access_expires": 0.0, "delegation_expires": 0.0}
    path.write_text(json.dumps(session))
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "cli.main", "--state", stack.folder, "runs", "-o", "json"],
            stdout=subprocess.DEVNULL,
        )
        for _ in range(3)
    ]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    renewed = json.loads(path.read_text())
    assert renewed["refresh_token"] != session["refresh_token"]
    assert stack.chenu("whoami").exit_code == 0


def test_seeding_twice_adds_nothing(stack: RunningStack) -> None:
    assert stack.chenu("seed").exit_code == 0
    first = answer(stack, "threads", "list", "--limit", "200")["threads"]
    assert stack.chenu("seed").exit_code == 0
    second = answer(stack, "threads", "list", "--limit", "200")["threads"]
    assert {one["thread_id"] for one in first} == {one["thread_id"] for one in second}
    assert {"SPHERE_SCHOLAR", "SPHERE_BUSINESS"} <= {one["sphere"] for one in second}


def test_schemas_agree_with_the_code(stack: RunningStack) -> None:
    result = stack.chenu("migrate", "check")
    assert result.exit_code == 0, result.output
