"""Commands against recorded answers: what is sent, what is printed, what they exit with."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
from typer.testing import CliRunner, Result

from chenu.identity.v1.auth_service_pb2 import GetMeResponse, LoginResponse, LogoutResponse
from chenu.identity.v1.identity_pb2 import User
from chenu.nova.v1.intent_pb2 import Intent
from chenu.nova.v1.run_pb2 import Run
from chenu.nova.v1.run_service_pb2 import (
    ClassifyIntentResponse,
    ExecuteRunResponse,
    GetRunResponse,
    ListRunsResponse,
)
from chenu.threads.v1.message_service_pb2 import ListMessagesResponse
from chenu.threads.v1.thread_pb2 import Thread
from chenu.threads.v1.thread_service_pb2 import GetThreadResponse, ListThreadsResponse
from cli.main import app
from tests.unit.cli import samples
from tests.unit.cli.conftest import Recording, rpc_error

Chenu = Callable[..., Result]


def done(text: str = "Do it", state: str = "RUN_STATE_SUCCEEDED") -> Run:
    return Run(run_id=samples.RUN, state=state, text=text, answer="Done.", simulated=True)


def blocked() -> Exception:
    return rpc_error(grpc.StatusCode.FAILED_PRECONDITION, "a person must", samples.block())


def test_json_is_the_answer_with_the_names_of_the_proto(chenu: Chenu, recording: Recording) -> None:
    intent = Intent(kind="delete", confidence=0.5, requires_checkpoint=True)
    recording.answer("ClassifyIntent", ClassifyIntentResponse(intent=intent))
    result = chenu("classify", "Delete", "it", "--output", "json")
    answer = json.loads(result.stdout)["intent"]
    assert (answer["kind"], answer["confidence"], answer["requires_checkpoint"]) == (
        "delete", 0.5, True,
    )  # fmt: skip
    assert answer["entities"] == []  # what is empty is there, too
    assert recording.calls("ClassifyIntent")[0].text == "Delete it"
    assert recording.tokens("ClassifyIntent") == ["delegation-1"]


def test_options_for_all_stand_before_or_after_the_command(
    state: Path, recording: Recording
) -> None:
    recording.answer("GetMe", GetMeResponse(user=User(email="ada@example.org")))
    for arguments in (
        ["--state", str(state), "-o", "json", "whoami"],
        ["whoami", "--state", str(state), "-o", "json"],
        ["--state", "/nowhere", "-o", "table", "whoami", "--state", str(state), "-o", "json"],
    ):
        assert json.loads(CliRunner().invoke(app, arguments).stdout)["user"]["email"]
    environment = {"CHENU_STATE": str(state)}
    assert CliRunner().invoke(app, ["whoami"], env=environment).exit_code == 0


def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--state", str(tmp_path), "login"])
    assert result.exit_code == 1
    assert "no stack runs in" in result.stderr
    assert "chenu up --detach" in result.stderr


def test_without_a_session_it_says_to_log_in(chenu: Chenu, state: Path) -> None:
    (state / "session.json").unlink()
    result = chenu("inbox", "-o", "json")
    assert result.exit_code == 6
    assert json.loads(result.stderr)["next_step"] == "chenu login"


def test_log_in_takes_the_demo_user_and_keeps_the_session(
    chenu: Chenu, recording: Recording, state: Path
) -> None:
    answer = LoginResponse(access_token="access-9", session_secret="x" * 40)
    answer.session.user.email = "demo@chenu.example"
    answer.session.access_expire_time.FromSeconds(int(time.time()) + 1800)
    recording.answer("Login", answer)
    result = chenu("login", "-o", "json")
    assert result.exit_code == 0
    assert "access-9" not in result.output
    assert "x" * 40 not in result.output
    (request,) = recording.calls("Login")
    assert (request.email, request.password) == ("demo@chenu.example", "demo-password-1")
    assert recording.tokens("Login") == [""]
    assert json.loads((state / "session.json").read_text())["access_token"] == "access-9"


def test_log_in_takes_the_password_from_the_environment_or_refuses(
    chenu: Chenu, recording: Recording
) -> None:
    recording.answer("Login", LoginResponse())
    assert chenu("login", "--email", "a@b.example", CHENU_PASSWORD="pw-from-env").exit_code == 0
    assert recording.calls("Login")[0].password == "pw-from-env"
    assert chenu("login", "--email", "a@b.example").exit_code == 2


def test_log_out_forgets_the_session_even_where_it_has_ended(
    chenu: Chenu, recording: Recording, state: Path
) -> None:
    recording.answer("Logout", rpc_error(grpc.StatusCode.UNAUTHENTICATED, "ended"))
    assert chenu("logout").exit_code == 0
    assert not (state / "session.json").exists()
    recording.answer("Logout", LogoutResponse())
    assert chenu("logout").exit_code == 6


def test_a_run_is_told_with_its_answer_and_that_no_model_gave_it(
    chenu: Chenu, recording: Recording
) -> None:
    recording.answer("ExecuteRun", ExecuteRunResponse(run=done()))
    result = chenu("run", "Do it", "--sphere", "business", "--mode", "draft")
    assert result.exit_code == 0
    assert "Done." in result.stdout
    assert "the model simulator, not by a model" in result.stdout
    (request,) = recording.calls("ExecuteRun")
    assert (request.sphere, request.mode) == (2, 3)
    assert len(request.request_id) == 36


def test_a_blocked_run_exits_with_3_and_shows_the_status_and_the_block(
    chenu: Chenu, recording: Recording
) -> None:
    recording.answer("ExecuteRun", blocked())
    result = chenu("run", "Delete it")
    assert result.exit_code == 3
    assert "What is deleted cannot be brought back." in result.stdout
    assert "FAILED_PRECONDITION · CHECKPOINT_REQUIRED" in result.stderr
    told = json.loads(chenu("run", "Delete it", "-o", "json").stderr)
    assert told["block"]["run_id"] == samples.RUN


@pytest.mark.parametrize(
    ("state_name", "code"),
    [("FAILED", 1), ("DENIED", 4), ("REJECTED", 4), ("EXPIRED", 5), ("CANCELLED", 5)],
)
def test_a_run_that_did_not_succeed_has_an_exit_code_that_says_why(
    chenu: Chenu, recording: Recording, state_name: str, code: int
) -> None:
    recording.answer("GetRun", GetRunResponse(run=done(state=f"RUN_STATE_{state_name}")))
    assert chenu("watch", samples.RUN).exit_code == code


def test_the_text_comes_from_a_file_or_from_standard_input(
    chenu: Chenu, recording: Recording, tmp_path: Path
) -> None:
    recording.answer("ExecuteRun", ExecuteRunResponse(run=done()))
    file = tmp_path / "request.txt"
    file.write_text("From a file", encoding="utf-8")
    for arguments in (("--file", str(file)), (f"@{file}",)):
        assert chenu("run", *arguments).exit_code == 0
    assert chenu("run", "-", text="From a pipe").exit_code == 0
    assert chenu("run", text="From a pipe").exit_code == 0
    texts = [request.text for request in recording.calls("ExecuteRun")]
    assert texts == ["From a file"] * 2 + ["From a pipe"] * 2
    assert chenu("run", "--file", str(tmp_path / "none")).exit_code == 2
    assert chenu("run", "both", "--file", str(file)).exit_code == 2


def test_lines_are_run_one_by_one_and_the_worst_end_is_the_exit_code(
    chenu: Chenu, recording: Recording
) -> None:
    denied = samples.status(7, "no", "GOVERNANCE_DENIED")
    recording.answer(
        "ExecuteRun",
        ExecuteRunResponse(run=done("one")),
        blocked(),
        rpc_error(grpc.StatusCode.PERMISSION_DENIED, "no", denied),
    )
    result = chenu("run", "--lines", "--at-once", "1", "-", text="one\n\ntwo\nthree\n")
    assert result.exit_code == 4
    assert "3 requests: 1 succeeded, 1 blocked, 1 failed" in result.stdout
    recording.answer("ExecuteRun", ExecuteRunResponse(run=done("one")))
    machine = chenu("run", "--lines", "-o", "json", "-", text="one\ntwo\n")
    lines = [json.loads(line) for line in machine.stdout.splitlines()]
    assert [(one["line"], one["run"]["state"]) for one in lines] == [
        (1, "RUN_STATE_SUCCEEDED"),
        (2, "RUN_STATE_SUCCEEDED"),
    ]
    assert chenu("run", "--lines", "-", text="\n").exit_code == 0
    assert chenu("run", "--lines", "--no-wait", "-", text="one").exit_code == 2


def test_pages_are_followed_until_an_abbreviated_id_is_found(
    chenu: Chenu, recording: Recording
) -> None:
    recording.answer(
        "ListRuns",
        ListRunsResponse(next_page_token="2"),
        ListRunsResponse(runs=[done()]),
    )
    recording.answer("GetRun", GetRunResponse(run=done()))
    assert chenu("runs", "0000d001").exit_code == 0
    assert [request.page_token for request in recording.calls("ListRuns")] == ["", "2"]
    assert recording.calls("GetRun")[0].run_id == samples.RUN


def test_threads_that_are_shared_are_marked_and_tell_with_whom(
    chenu: Chenu, recording: Recording
) -> None:
    owner, reader = str(uuid4()), str(uuid4())
    shared = Thread(thread_id=samples.THREAD, title="Lease", reader_identity_ids=[reader])
    private = Thread(title="Diary", owner_identity_id=owner)
    recording.answer("ListThreads", ListThreadsResponse(threads=[shared, private]))
    shared.owner_identity_id = owner
    recording.answer("GetThread", GetThreadResponse(thread=shared))
    recording.answer("ListMessages", ListMessagesResponse())

    listed = chenu("threads", "list").stdout
    shown = chenu("threads", "show", samples.THREAD).stdout
    as_json = chenu("-o", "json", "threads", "show", samples.THREAD).stdout

    assert ("Lease (shared)" in listed, "Diary (shared)" in listed) == (True, False)
    assert owner in shown
    assert reader in shown
    assert json.loads(as_json)["thread"]["reader_identity_ids"] == [reader]


def test_a_thread_is_shown_with_all_its_messages(chenu: Chenu, recording: Recording) -> None:
    recording.answer("GetThread", GetThreadResponse(thread=Thread(thread_id=samples.THREAD)))
    first, last = ListMessagesResponse(next_page_token="more"), ListMessagesResponse()
    first.messages.add(content="the beginning")
    last.messages.add(content="the end")
    recording.answer("ListMessages", first, last)

    shown = chenu("threads", "show", samples.THREAD).stdout

    assert ("the beginning" in shown, "the end" in shown) == (True, True)


def test_words_that_the_contract_does_not_know_are_wrong_usage(
    chenu: Chenu, recording: Recording
) -> None:
    recording.answer("ListThreads", ListThreadsResponse())
    assert chenu("threads", "list", "--sphere", "my team").exit_code == 0
    assert recording.calls("ListThreads")[0].sphere == 9
    assert chenu("threads", "list", "--sphere", "moon").exit_code == 2
    assert chenu("threads", "update", samples.THREAD).exit_code == 2
    assert chenu("serve", "nothing").exit_code == 2
    assert chenu("migrate", "check", "gateway").exit_code == 2
    assert chenu("token", "--for", "vote").exit_code == 2


def test_failures_of_calls_are_told_with_code_reason_and_next_step(
    chenu: Chenu, recording: Recording
) -> None:
    error = rpc_error(grpc.StatusCode.PERMISSION_DENIED, "not yours", samples.FORBIDDEN)
    recording.answer("GetCheckpoint", error)
    result = chenu("show", samples.CHECKPOINT, "-o", "json")
    assert result.exit_code == 4
    assert result.stdout == ""
    told = json.loads(result.stderr)
    assert (told["code"], told["reason"]) == ("PERMISSION_DENIED", "FORBIDDEN")
    assert told["next_step"]


def test_every_command_explains_itself() -> None:
    top = CliRunner().invoke(app, ["--help"])
    assert "Exit codes" in top.stdout
    for name in ("up", "run", "approve", "token", "threads", "audit", "migrate", "demo", "seed"):
        result = CliRunner().invoke(app, [name, "--help"])
        assert result.exit_code == 0, name


def test_what_others_wrote_into_a_failure_cannot_steer_the_terminal(
    chenu: Chenu, recording: Recording
) -> None:
    said = "no \x1b[2J[red]way"
    status = samples.status(7, said, "CHECKPOINT_REJECTED", checkpoint_id="c-1\x07")
    error = rpc_error(grpc.StatusCode.PERMISSION_DENIED, said, status)
    recording.answer("ExecuteRun", error)
    result = chenu("run", "Do it")
    assert result.exit_code == 4
    assert "\x1b" not in result.stderr
    assert "\x07" not in result.stderr
    assert "[2J[red]way" in result.stderr
    assert json.loads(chenu("run", "Do it", "-o", "json").stderr)["message"] == said
