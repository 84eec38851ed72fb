"""Deciding from where people are: by the link of a mail, by the button of a chat."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint, CheckpointState
from chenu.governance.v1.review_service_pb2 import EditCheckpointRequest
from chenu.governance.v1.review_service_pb2_grpc import ReviewServiceStub
from chenu.identity.v1.channel_grant_service_pb2 import RevokeChannelGrantRequest
from cli.verification.evidence import verify_evidence
from cli.verification.keys import read_keys, split_keys
from tests.laws.deciding import mail_channel, slack_channel
from tests.laws.hands import Hands, use
from tests.laws.stories import doomed
from tests.support.channels import code_in
from tests.support.fleet import Client, Fleet
from tests.support.mailbox import Mailbox
from tests.support.slack import SlackServer, pressed, signature

APPROVED = CheckpointState.CHECKPOINT_STATE_APPROVED
REJECTED = CheckpointState.CHECKPOINT_STATE_REJECTED
PENDING = CheckpointState.CHECKPOINT_STATE_PENDING
LINK = re.compile(r"http://\S+/decide\?ballot=\S+")
INTERACTIONS = "/api/v2/slack/interactions"


@pytest.fixture(scope="module")
async def mailbox(fleet_environment: Any) -> AsyncIterator[Mailbox]:
    async with Mailbox(int(fleet_environment["CHENU_COURIER_SMTP_PORT"])) as listening:
        yield listening


@pytest.fixture
async def stranger(fleet: Fleet) -> str:
    """The access token of somebody else."""
    return (await fleet.register("Stranger")).session.access_token


async def waiting(me: Client, hands: Hands) -> BlockedCheckpoint:
    """Something harmless that waits."""
    action = use(me, "thread.search", query="<b>&amp; " + str(uuid4()))
    return (await hands.ask(me, action, requires_checkpoint=True)).checkpoint


async def link(mailbox: Mailbox, email: str) -> str:
    (mail,) = await mailbox.wait_for(email)
    found = LINK.search(mail.get_content())
    assert found, mail.get_content()
    return found[0]


def fields(page: str) -> dict[str, str]:
    found = re.search(r'name="ballot" value="([^"]+)"', page)
    assert found, page
    return {"ballot": unescape(found[1])}


async def test_row_8_a_link_shows_the_bound_view_and_only_its_form_decides(
    me: Client, hands: Hands, mailbox: Mailbox, http: httpx2.AsyncClient
) -> None:
    _, email = await mail_channel(me, hands, mailbox)
    at = await waiting(me, hands)
    there = await link(mailbox, email)

    for _ in range(2):  # as a scanner of links would
        shown = await http.get(there)
    assert shown.status_code == 200
    assert at.view_digest in shown.text
    assert "&lt;b&gt;&amp;amp; " in shown.text
    assert "<script" not in shown.text
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert shown.headers["referrer-policy"] == "no-referrer"
    assert shown.headers["cache-control"] == "no-store"
    assert (await me.checkpoint(at.checkpoint_id)).state == PENDING

    form = fields(shown.text) | {"option": "approve", "comment": "Yes <i>"}
    for _ in range(2):  # pressed twice
        done = await http.post("/decide", data=form)
        assert done.status_code == 200, done.text
        assert "It is approved" in done.text
        assert "Your vote was counted" in done.text
    checkpoint = await me.checkpoint(at.checkpoint_id)
    (vote,) = checkpoint.votes
    assert (checkpoint.state, vote.authentication, vote.comment) == (APPROVED, "mail", "Yes <i>")
    other = await http.post("/decide", data=form | {"option": "reject"})
    assert (other.status_code, "You have voted with this before" in other.text) == (409, True)
    again = await http.get(there)
    assert "It is approved" in again.text
    assert "<form" not in again.text


async def test_a_channel_is_allowed_to_decide_over_http_by_the_session_alone(
    fleet: Fleet, hands: Hands, mailbox: Mailbox, logged_in: httpx2.AsyncClient
) -> None:
    email, wanted = f"{uuid4()}@example.org", {"method": "CHANNEL_METHOD_MAIL"}
    made = await logged_in.post("/api/v2/channels", json={"name": "Me", "email": email})
    channel_id = made.json()["channel"]["channel_id"]
    (mail,) = await mailbox.wait_for(email)
    path, code = f"/api/v2/channels/{channel_id}", code_in(mail.get_content())
    await logged_in.post(f"{path}/confirm", json={"code": code})

    grants, of = "/api/v2/auth/channel-grants", wanted | {"channel_id": channel_id}
    bought = await logged_in.post(grants, json=of)
    assert bought.status_code == 200, bought.text
    grant = bought.json()["channel_grant"]
    allowed = await logged_in.post(f"{path}/grant", json={"channel_grant": grant})
    assert (
        allowed.json()["channel"]["decide_until"][:19] == bought.json()["grant"]["expire_time"][:19]
    )
    taken = await logged_in.post(f"{path}/grant", json={})
    assert "decide_until" not in taken.json()["channel"]

    stale = await logged_in.post(grants, json=of, headers={"x-csrf-token": "x"})
    assert (stale.status_code, stale.json()["reason"]) == (401, "CSRF_TOKEN_INVALID")
    logged_in.cookies.clear()
    alone = await logged_in.post(grants, json=of)
    assert (alone.status_code, alone.json()["reason"]) == (401, "SESSION_REQUIRED")


async def test_a_link_dies_with_its_view_its_grant_and_whatever_else_decided(
    me: Client, hands: Hands, mailbox: Mailbox, http: httpx2.AsyncClient
) -> None:
    channel_id, email = await mail_channel(me, hands, mailbox)
    at = await waiting(me, hands)
    there = await link(mailbox, email)
    form = fields((await http.get(there)).text) | {"option": "approve"}
    await me.reject(at.checkpoint_id)
    decided = await http.post("/decide", data=form)
    assert (decided.status_code, "It is rejected" in decided.text) == (200, True)
    assert "Your vote was not counted" in decided.text
    assert "There is nothing left for you to do" in decided.text

    await hands.grants.RevokeChannelGrant(
        RevokeChannelGrantRequest(channel_id=channel_id), metadata=me.me
    )
    for answer, title in (
        (await http.get(there), "This link decides nothing"),
        (await http.post("/decide", data=form), "Your vote was not counted"),
    ):
        assert (answer.status_code, title in answer.text) == (400, True)
        assert "Nothing is decided from here any more" in answer.text
        assert "Log in and decide there" in answer.text


async def test_what_could_do_more_harm_is_sent_without_a_link_and_decided_after_log_in_only(
    me: Client, hands: Hands, mailbox: Mailbox, http: httpx2.AsyncClient
) -> None:
    _, email = await mail_channel(me, hands, mailbox)
    _, at = await doomed(me)
    (mail,) = await mailbox.wait_for(email)
    assert not LINK.search(mail.get_content())
    # Courier itself might have a ballot all the same.
    ballot = await hands.ballot(me, at.checkpoint_id, at.view_digest)
    answer = await http.post("/decide", data={"ballot": ballot, "option": "approve"})
    assert (answer.status_code, "could do more harm" in answer.text) == (400, True)
    assert "Log in and decide there" in answer.text
    assert not (await me.checkpoint(at.checkpoint_id)).votes


async def test_an_edited_checkpoint_is_not_shown_behind_its_old_link(
    me: Client, hands: Hands, mailbox: Mailbox, http: httpx2.AsyncClient
) -> None:
    _, email = await mail_channel(me, hands, mailbox)
    at = await waiting(me, hands)
    there = await link(mailbox, email)
    form = fields((await http.get(there)).text) | {"option": "approve"}
    edit = EditCheckpointRequest(
        checkpoint_id=at.checkpoint_id, etag=at.view_digest, arguments='{"query": "y"}'
    )
    stub = ReviewServiceStub(me.fleet.channel("governance"))
    await stub.EditCheckpoint(edit, metadata=me.me)

    stale = await http.get(there)
    assert (stale.status_code, "<form" in stale.text) == (412, False)
    assert (await http.post("/decide", data=form)).status_code == 412
    assert not (await me.checkpoint(at.checkpoint_id)).votes
    await mailbox.wait_for(email, 2)  # the new revision was told, with a link of its own


async def test_what_a_link_decided_is_downloaded_and_proved_with_how_the_voter_was_known(
    me: Client, hands: Hands, http: httpx2.AsyncClient, stranger: str, tmp_path: Path
) -> None:
    at = await waiting(me, hands)
    ballot = await hands.ballot(me, at.checkpoint_id, at.view_digest)
    await http.post("/decide", data={"ballot": ballot, "option": "approve"})
    path, wanted = "/api/v2/governance/evidence", {"checkpoint_id": at.checkpoint_id}
    mine = {"authorization": f"Bearer {me.session.access_token}"}

    file = await http.get(path, params=wanted | {"whole": "true"}, headers=mine)

    assert (file.status_code, file.headers["content-disposition"]) == (200, "attachment")
    (tmp_path / "evidence").write_bytes(file.content)
    keys = split_keys(read_keys(str(hands.keys / "log.vkey")))
    verdict = verify_evidence(tmp_path / "evidence", keys, (), lambda *_: None)
    assert (verdict.problems, verdict.trust) == ([], "pinned")
    assert any("known by a link in a mail" in note for note in verdict.notes)
    for params, token, status in (
        (wanted, "", 401),
        (wanted, stranger, 403),
        ({}, me.session.access_token, 400),
        (wanted | {"run_id": str(uuid4())}, me.session.access_token, 400),
    ):
        refused = await http.get(
            path, params=params, headers={"authorization": f"Bearer {token}"} if token else {}
        )
        assert refused.status_code == status, refused.text
        assert refused.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({}, 400),
        ({"option": "approve"}, 400),
        ({"option": "approve", "ballot": "forged"}, 401),
        ({"option": "perhaps", "ballot": "forged"}, 400),
        ({"option": "approve", "ballot": "x" * 300_000}, 413),
    ],
)
async def test_a_bad_form_decides_nothing(
    http: httpx2.AsyncClient, form: dict[str, str], status: int
) -> None:
    assert (await http.post("/decide", data=form)).status_code == status
    assert (await http.get("/decide")).status_code == 400


async def test_row_8_a_button_decides_and_the_card_is_edited(
    me: Client, hands: Hands, http: httpx2.AsyncClient
) -> None:
    async with SlackServer() as slack:
        channel_id, user = await slack_channel(me, hands, slack)
        at = await waiting(me, hands)
        (card,) = await slack.wait_for(user)
        body = pressed(card, "reject")
        headers = signature(body)
        wrong = await http.post(
            INTERACTIONS, content=body, headers=signature(body, secret="0" * 32)
        )
        assert (wrong.status_code, wrong.json()["reason"]) == (401, "INTERACTION_REFUSED")
        assert UUID(wrong.json()["instance"].removeprefix("urn:uuid:"))
        assert (await me.checkpoint(at.checkpoint_id)).state == PENDING

        answer = await http.post(INTERACTIONS, content=body, headers=headers)
        assert (answer.status_code, answer.json()) == (200, {})
        checkpoint = await me.checkpoint(at.checkpoint_id)
        assert checkpoint.state == REJECTED
        assert [vote.authentication for vote in checkpoint.votes] == ["chat"]
        assert "It is rejected, and waits no more" in (await slack.edited(card)).text

        assert (await http.post(INTERACTIONS, content=body, headers=headers)).status_code == 409
        card.said.reverse()  # somebody still sees the old card
        late = pressed(card, "approve", response_url=slack.response_url(user))
        told = await http.post(INTERACTIONS, content=late, headers=signature(late))
        assert (told.status_code, told.json()) == (200, {})
        assert "It was decided, or has ended" in await slack.wait_for_answer(user)
        await hands.grants.RevokeChannelGrant(
            RevokeChannelGrantRequest(channel_id=channel_id), metadata=me.me
        )
        ended = pressed(card, "approve", response_url=slack.response_url(user))
        told = await http.post(INTERACTIONS, content=ended, headers=signature(ended))
        assert (told.status_code, told.json()) == (200, {})
        assert "Log in and decide there" in await slack.wait_for_answer(user)
        looked = pressed(card, "review")
        seen = await http.post(INTERACTIONS, content=looked, headers=signature(looked))
        assert (seen.status_code, seen.json()) == (200, {})
