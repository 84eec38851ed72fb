"""The command on a real stack: threads, endpoints, agents, tokens, the log, the doctor."""

import json
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen
from uuid import uuid4

import jwt

from tests.end_to_end.conftest import RunningStack, chenu_here
from tests.end_to_end.typing_chenu import answer, blocked, new_thread, problem, title, until


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


def test_evidence_is_checked_where_nothing_of_the_stack_is_running(
    stack: RunningStack, tmp_path: Path
) -> None:
    name = title()
    new_thread(stack, name)
    checkpoint = blocked(stack, f'Delete the thread "{name}"')
    assert stack.chenu("approve", checkpoint["checkpoint_id"], "--wait").exit_code == 0
    files = {what: tmp_path / what for what in ("redacted", "whole", "changed")}
    for what, chosen in (
        ("redacted", [checkpoint["checkpoint_id"]]),
        ("whole", ["--whole", "--run", checkpoint["run_id"]]),
    ):
        answer(stack, "evidence", "export", *chosen, "--out", str(files[what]))
    files["changed"].write_bytes(files["redacted"].read_bytes().replace(b"delete", b"search", 1))
    key = str(stack.folder / "log.vkey")
    nowhere = tmp_path / "nowhere"
    for what, code in (("redacted", 0), ("whole", 0), ("changed", 1)):
        checked = chenu_here(nowhere, "evidence", "verify", str(files[what]), "--key", key)
        assert checked.exit_code == code, checked.output
    assert "NOT PROVED" in checked.output
    assert "the log names another document" in " ".join(checked.output.split())
    unpinned = chenu_here(nowhere, "evidence", "verify", str(files["whole"]))
    assert unpinned.exit_code == 3
    none = problem(stack, "evidence", "verify", str(stack.folder / "log.vkey"), code=2)
    assert none["reason"] == "MALFORMED"
    several = problem(
        stack, "evidence", "export", "--run", "x", "--decision", "y", "--out", "z", code=1
    )
    assert several["reason"] == "ONE_SUBJECT"


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


def test_the_log_is_searched_counted_and_said_to_be_sound(stack: RunningStack) -> None:
    found = answer(stack, "audit", "list", "--filter", "action = login")["entries"]
    assert found
    assert {one["event"]["data"]["action"] for one in found} == {"AUDIT_ACTION_LOGIN"}
    refused = stack.chenu("audit", "list", "--filter", "colour = red")
    assert refused.exit_code != 0
    counted = answer(stack, "audit", "stats", "--by", "action")["statistics"]
    assert "login" in {one["value"] for one in counted}
    assert "kinds" in answer(stack, "audit", "violations")
    assert stack.chenu("audit", "violations").exit_code == 0
    alerts = stack.chenu("audit", "alerts")
    assert (alerts.exit_code, "Nothing is amiss" in alerts.stdout) == (0, True)


def test_an_export_and_the_folder_of_tiles_are_verified_by_what_they_hold(
    stack: RunningStack, tmp_path: Path
) -> None:
    for form, code in (("jsonl", 0), ("cloudevents", 0), ("csv", 2), ("ocsf", 2)):
        out = tmp_path / form
        exported = answer(stack, "audit", "export", "--format", form, "--out", str(out))
        assert int(exported["records"]) > 0
        assert stack.chenu("audit", "verify", str(out)).exit_code == code
    for target in (tmp_path / "jsonl", stack.folder / "log"):
        found = answer(stack, "audit", "verify", str(target))
        assert (found["verified"], found["trust"], found["problems"]) == (True, "pinned", [])
    assert answer(stack, "audit", "verify")["witnesses"]
    # Read with this person's own token, who is no auditor of the system.
    gateway = json.loads((stack.folder / "endpoints.json").read_text())["gateway"]
    refused = stack.chenu("audit", "verify", f"{gateway}/api/v2/audit/log")
    assert (refused.exit_code, "CHENU_AUDIT_SYSTEM_AUDITORS" in refused.stderr) == (2, True)
    key = stack.chenu("audit", "key").stdout.strip()
    assert key in (stack.folder / "log.vkey").read_text()
    stranger = tmp_path / "stranger.vkey"
    stranger.write_text("")
    unpinned = stack.chenu("audit", "verify", str(tmp_path / "jsonl"), "--key", str(stranger))
    assert unpinned.exit_code == 3
    spoilt = (tmp_path / "jsonl").read_bytes().replace(b'"chenu/identity"', b'"chenu/Identity"', 1)
    (tmp_path / "jsonl").write_bytes(spoilt)
    result = stack.chenu("audit", "verify", str(tmp_path / "jsonl"))
    assert result.exit_code == 1
    assert "TAMPERED" in result.stdout


def test_an_erased_colleague_is_in_no_export_and_in_no_log_of_any_process(
    stack: RunningStack, tmp_path: Path
) -> None:
    secret = answer(stack, "people", "invite")["invitation_secret"]
    email, name = f"{uuid4()}@chenu.example", f"Bea {uuid4().hex}"
    newcomer = {"email": email, "password": "long-enough-1", "display_name": name}
    gateway = json.loads((stack.folder / "endpoints.json").read_text())["gateway"]
    request = Request(  # noqa: S310 - our own gateway
        f"{gateway}/api/v2/auth/register",
        json.dumps({**newcomer, "invitation_secret": secret}).encode(),
        {"Content-Type": "application/json"},
    )
    with urlopen(request) as response:  # noqa: S310 - likewise
        assert response.status == 200
    opened, erased = tmp_path / "opened", tmp_path / "erased"
    while not opened.exists() or email not in opened.read_text():
        answer(stack, "audit", "export", "--open-sealed", "--out", str(opened))
    result = stack.chenu("audit", "erase", name, "--rule", "gdpr-17")
    assert (result.exit_code, "sealed for good" in result.stdout) == (0, True)
    answer(stack, "audit", "export", "--open-sealed", "--out", str(erased))
    for file in (opened, erased):
        found = answer(stack, "audit", "verify", str(file))
        assert (found["verified"], found["problems"]) == (True, [])
        assert any(note.startswith("opened: ") for note in found["notes"])
    assert name not in stack.chenu("people", "list").stdout
    places = [erased, *(stack.folder / "logs").glob("*.log")]
    assert len(places) > 7
    for place in places:
        text = place.read_text(errors="replace")
        assert email not in text, place
        assert name not in text, place


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
    until(lambda: stack.chenu("doctor").exit_code == 0)  # a service may have just come back
    checks = answer(stack, "doctor")["checks"]
    assert {"nova", "courier database", "audit lag", "log key"} <= {one["check"] for one in checks}


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
