"""Channels from the command, on a real stack with a real mail server."""

from uuid import uuid4

from tests.end_to_end.conftest import RunningStack
from tests.end_to_end.typing_chenu import answer, blocked, new_thread, problem, title
from tests.support.channels import code_in


def test_a_mail_channel_from_its_first_code_to_its_end(stack: RunningStack) -> None:
    name, email = f"Mail {uuid4().hex[:8]}", f"{uuid4()}@example.org"
    added = answer(stack, "channels", "add", name, "--email", email)["channel"]
    assert not added.get("confirmed", False)
    (asked,) = stack.mails.wait_for(email)
    wrong = problem(stack, "channels", "confirm", name, "0000000000", code=1)
    assert wrong["reason"] == "CONFIRMATION_INVALID"
    early = problem(stack, "channels", "allow", name, code=1)
    assert early["reason"] == "CHANNEL_NOT_CONFIRMED"
    code = code_in(asked.get_content())
    assert answer(stack, "channels", "confirm", name, code)["channel"]["confirmed"]
    assert answer(stack, "channels", "allow", name)["channel"]["decide_until"]
    assert "decides until" in stack.chenu("channels", "list").stdout

    thread = title()
    new_thread(stack, thread)
    checkpoint = blocked(stack, f"Delete the thread “{thread}”")
    (_, told) = stack.mails.wait_for(email, 2)
    assert checkpoint["view_digest"] in told.get_content()
    assert "/decide?" not in told.get_content()  # what deletes is decided after log-in
    stack.chenu("reject", checkpoint["checkpoint_id"], "--yes")
    (*_, over) = stack.mails.wait_for(email, 3)
    assert "It is rejected, and waits no more" in over.get_content()

    log = answer(stack, "channels", "log", "--channel", name)["notifications"]
    assert [one["type"] for one in log] == [
        "checkpoint.resolved",
        "checkpoint.created",
        "channel.confirmation",
    ]
    answer(stack, "channels", "replay", log[0]["notification_id"])
    stack.mails.wait_for(email, 4)
    assert "decide_until" not in answer(stack, "channels", "forbid", name)["channel"]
    assert answer(stack, "channels", "switch", name, "--off")["channel"]["disabled"]
    assert "off" in stack.chenu("channels", "list").stdout
    assert stack.chenu("channels", "remove", name).exit_code == 0
    assert name not in stack.chenu("channels", "list").stdout
