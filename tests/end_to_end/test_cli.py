"""The command on a real stack: what people type, what they get, what programs can read."""

import json
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from tests.end_to_end.conftest import RunningStack
from tests.end_to_end.typing_chenu import answer, blocked, new_thread, problem, title


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
    watched = stack.chenu("watch", checkpoint["run_id"])
    assert watched.exit_code == 4
    assert "CHECKPOINT_REJECTED: stay" in watched.stdout
    assert "A person said no to this" in watched.stdout
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


def test_another_person_sees_nothing_of_it(stack: RunningStack, tmp_path: Path) -> None:
    name = title()
    new_thread(stack, name)
    checkpoint = blocked(stack, f'Delete the thread "{name}"')
    (tmp_path / "endpoints.json").write_text((stack.folder / "endpoints.json").read_text())
    other = replace(stack, folder=tmp_path)
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
