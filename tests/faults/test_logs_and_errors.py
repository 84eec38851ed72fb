"""What a whole story, with everything in it that can go wrong, leaves in logs and in errors."""

import asyncio
import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest

from chenu.identity.v1.agent_service_pb2 import HireAgentRequest
from chenu.identity.v1.agent_service_pb2_grpc import AgentServiceStub
from chenu.identity.v1.auth_service_pb2 import (
    ChangePasswordRequest,
    GetMeRequest,
    LoginRequest,
    RegisterRequest,
)
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from chenu.identity.v1.token_service_pb2 import IssueAgentTokenRequest
from chenu.threads.v1.thread_service_pb2 import CreateThreadRequest
from chenu_gate.action import Target
from deploy.postgres.roles import database_url
from tests.faults.forked import SERVICES
from tests.faults.stage import Stage
from tests.laws.hands import Hands, use
from tests.laws.household import household
from tests.support.descriptors import hosts, methods
from tests.support.fleet import PASSWORD, Client
from tests.support.identity import bearer

WRONG, NEXT = "a mistaken passw0rd", "the-next-passw0rd"
WORDS = "Words that are nobody else's business"
FORGED = '"}\n{"event": "forged", "level": "info"}\r\n2026-01-01 [info] forged'
# What would tell a client how we are made.
INSIDES = re.compile(
    r"traceback|\.py\b|asyncpg|sqlalchemy|postgres|\bselect\b.+\bfrom\b|insert into"
    r"|\bupdate\b.+\bset\b|/tmp/|/usr/|/home/|site-packages|constraint|relation \""
    r"|grpc_status|nats:|0x[0-9a-f]{6}",
    re.IGNORECASE,
)


class Told:
    """All that refused clients are told."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.codes: set[grpc.StatusCode] = set()

    async def of(self, call: Any) -> None:
        """Await a call, whatever becomes of it."""
        try:
            await call
        except grpc.aio.AioRpcError as error:
            trailers = b" ".join(
                value if isinstance(value, bytes) else value.encode()
                for _, value in error.trailing_metadata() or ()
            )
            self.errors.append(f"{error.details()} {trailers.decode(errors='replace')}")
            self.codes.add(error.code())


async def the_story(me: Client, hands: Hands) -> Mapping[str, str]:
    """Everything that anybody does, with every secret that passes on the way, by name."""
    home = await household(me, hands)
    identity = me.fleet.channel("identity")
    hired = await AgentServiceStub(identity).HireAgent(
        HireAgentRequest(display_name=WORDS, session_secret=me.session.session_secret),
        metadata=me.me,
    )
    agent = IssueAgentTokenRequest(agent_id=hired.agent.agent_id, secret=hired.secret)
    thread_id = await me.new_thread(WORDS)
    action = use(me, "thread.append", Target("thread", thread_id), thread=thread_id, content=WORDS)
    permit = (await hands.ask(me, action)).permit
    await hands.execute(me, action, permit)
    await me.begin(f"{WORDS}\n{FORGED}")
    await me.approve(home.waiting.checkpoint_id, comment=WORDS)
    auth = AuthServiceStub(identity)
    await auth.ChangePassword(
        ChangePasswordRequest(current_password=PASSWORD, new_password=NEXT), metadata=me.me
    )
    session = me.session.session
    return {
        "password": PASSWORD,
        "next password": NEXT,
        "wrong password": WRONG,
        "access token": me.session.access_token,
        "refresh token": session.refresh_token,
        "session secret": me.session.session_secret,
        "agent secret": hired.secret,
        "agent token": (await hands.tokens.IssueAgentToken(agent)).access_token,
        "vote token": await hands.vote_token(me, home.waiting.checkpoint_id),
        "delegation": await hands.delegation(me),
        "service token": await hands.service("nova"),
        "assertion": hands.assertion("nova"),
        "permit": permit,
        "words": WORDS,
        "e-mail": (await auth.GetMe(GetMeRequest(), metadata=me.me)).user.email,
    }


async def everything_wrong(me: Client, secrets: Mapping[str, str], told: Told) -> None:
    """Each RPC with bytes that are wrong, under tokens that are right and wrong."""
    nova = bearer(secrets["delegation"], secrets["service token"])
    text = base64.b64encode(WORDS.encode())
    wrong = (b"", b"\xff\xff", b"\n\x24" + b"0" * 36, b"\n\x10" + text[:16])
    # Whose token is no token is refused before anybody looks at the bytes.
    tried = [(token, data) for token in (me.me, nova) for data in wrong]
    tried += [(bearer(secrets[name]), wrong[1]) for name in ("permit", "session secret")]
    for method in methods():
        for service in hosts(method):
            if method.server_streaming:
                continue
            path = f"/{method.containing_service.full_name}/{method.name}"
            call: Any = me.fleet.channel(service).unary_unary(path)
            for metadata, data in tried:
                await told.of(call(data, metadata=metadata, timeout=20))
    auth, email = AuthServiceStub(me.fleet.channel("identity")), secrets["e-mail"]
    await told.of(auth.Login(LoginRequest(email=email, password=WRONG)))
    await told.of(auth.Register(RegisterRequest(email=email, password=NEXT, display_name=WORDS)))
    nul = CreateThreadRequest(title="a\0b", founding_intent=FORGED)
    await told.of(me.threads.CreateThread(nul, metadata=me.me))


def new_lines(folder: Path, before: Mapping[str, int]) -> dict[str, str]:
    """What each process has logged since it had logged so much."""
    return {
        path.stem: path.read_text(errors="replace")[before.get(path.stem, 0) :]
        for path in (folder / "logs").glob("*.log")
    }


async def test_neither_logs_nor_errors_nor_events_tell_a_secret_or_how_we_are_made(
    stage: Stage, me: Client, hands: Hands
) -> None:
    before = {name: len(text) for name, text in new_lines(stage.state, {}).items()}
    told = Told()
    secrets = await the_story(me, hands)
    await everything_wrong(me, secrets, told)
    await asyncio.sleep(0.5)  # the last lines are written
    logs = new_lines(stage.state, before)
    superuser: Any = await asyncpg.connect(database_url(stage.backends.postgres.admin_url))
    rows = [await superuser.fetch(f"TABLE {service}.outbox") for service in SERVICES]
    await superuser.close()
    events = "".join(row["event"].decode() for outbox in rows for row in outbox)
    assert len(told.errors) > 500
    assert not told.codes & {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}
    assert all("/chenu." in logs[service] for service in SERVICES)
    for place, text in {**logs, "an error": "\n".join(told.errors), "an event": events}.items():
        for name, secret in secrets.items():
            assert secret not in text, f"the {name} stands in {place}"
    for error in told.errors:
        assert not INSIDES.search(error), error
    for service in SERVICES:
        for line in logs[service].splitlines():
            entry = json.loads(line)
            assert entry["event"] != "forged", service
            assert "peer" not in entry, "from where people call is not kept unless asked for"
            assert "Traceback" not in line, (service, line)
            assert entry["level"] in {"debug", "info", "warning"}, (service, line)


@pytest.fixture
def hands(stage: Stage) -> Hands:
    return Hands(stage, stage._environment)


async def test_a_password_in_an_e_mails_place_is_not_logged_either(
    stage: Stage, me: Client
) -> None:
    slip = f"{uuid4()}-my-passw0rd"
    await Told().of(
        AuthServiceStub(stage.channel("identity")).Login(LoginRequest(email=slip, password="x"))
    )
    assert slip not in "".join(new_lines(stage.state, {}).values())
