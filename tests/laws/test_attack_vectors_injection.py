"""Injection: SQL, commands, headers and script, in every text that anybody may hand in."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import grpc
import httpx2
import pytest
from google.protobuf.struct_pb2 import Struct

from chenu.audit.v1.entry_service_pb2 import ListEntriesRequest
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.courier.v1.endpoint_service_pb2 import CreateEndpointRequest
from chenu.identity.v1.agent_service_pb2 import HireAgentRequest
from chenu.identity.v1.agent_service_pb2_grpc import AgentServiceStub
from chenu.identity.v1.auth_service_pb2 import LoginRequest
from chenu.identity.v1.auth_service_pb2_grpc import AuthServiceStub
from chenu.identity.v1.identity_pb2 import IdentityType
from chenu.identity.v1.identity_service_pb2 import CreateIdentityRequest
from chenu.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from chenu.nova.v1.run_pb2 import Run
from chenu.threads.v1.message_service_pb2 import CreateMessageRequest
from chenu.threads.v1.message_service_pb2_grpc import MessageServiceStub
from chenu.threads.v1.thread_event_pb2 import ThreadEventType
from chenu.threads.v1.thread_event_service_pb2 import AppendThreadEventRequest
from chenu.threads.v1.thread_event_service_pb2_grpc import ThreadEventServiceStub
from chenu.threads.v1.thread_service_pb2 import CreateThreadRequest, ListThreadsRequest
from chenu_gate.action import Target
from deploy.postgres.roles import SERVICES
from kernel.errors import reason_of
from tests.laws.hands import Hands, use
from tests.laws.hostile import CANARY, SQL, TEXTS
from tests.support.fleet import Client, Fleet
from tests.support.receiver import Receiver

SILENT = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}


async def answered(call: Any) -> Any:
    """The answer, or None where the text was refused in good order."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        if error.code() in SILENT:
            raise
        return None


async def approved(me: Client, text: str) -> Run:
    """The run of a request, approved where its words alone have it gated."""
    started = await me.begin(text)
    try:
        return await me.go_on(started.run_id)
    except grpc.aio.AioRpcError as error:
        if reason_of(error) != "CHECKPOINT_REQUIRED":
            raise
        for checkpoint in await me.inbox():
            await me.approve(checkpoint.checkpoint_id)
        return await me.go_on(started.run_id)


async def sizes(superuser: Any) -> dict[str, int]:
    """How many rows every table holds."""
    tables = await superuser.fetch(
        "SELECT schemaname || '.' || tablename AS name FROM pg_tables"
        " WHERE schemaname = ANY ($1::text[])",
        list(SERVICES),
    )
    return {
        t["name"]: await superuser.fetchval(f"SELECT count(*) FROM {t['name']}") for t in tables
    }


async def hand_in(me: Client, text: str) -> None:
    """The text in every place of every direct call that takes one."""
    fleet = me.fleet
    made = await me.threads.CreateThread(
        CreateThreadRequest(title=text, founding_intent=text, description=text, tags=[text]),
        metadata=me.me,
    )
    thread = made.thread
    assert (thread.title, thread.founding_intent, list(thread.tags)) == (text, text, [text])
    listed = await me.threads.ListThreads(ListThreadsRequest(title_contains=text), metadata=me.me)
    assert thread.thread_id in {found.thread_id for found in listed.threads}
    said = await MessageServiceStub(fleet.channel("threads")).CreateMessage(
        CreateMessageRequest(thread_id=thread.thread_id, content=text), metadata=me.me
    )
    assert said.message.content == text
    payload = Struct()
    payload.update({"note": text})
    await ThreadEventServiceStub(fleet.channel("threads")).AppendThreadEvent(
        AppendThreadEventRequest(
            thread_id=thread.thread_id,
            type=ThreadEventType.THREAD_EVENT_TYPE_NOTE_ADDED,
            payload=payload,
        ),
        metadata=me.me,
    )
    identity = fleet.channel("identity")
    hired = await AgentServiceStub(identity).HireAgent(
        HireAgentRequest(display_name=text, session_secret=me.session.session_secret),
        metadata=me.me,
    )
    assert hired.agent.display_name == text
    await IdentityServiceStub(identity).CreateIdentity(
        CreateIdentityRequest(type=IdentityType.IDENTITY_TYPE_PERSONAL, display_name=text),
        metadata=me.me,
    )
    if text in SQL:  # failures are counted
        await answered(AuthServiceStub(identity).Login(LoginRequest(email=text, password=text)))
    await answered(
        me.endpoints.CreateEndpoint(
            CreateEndpointRequest(name=text, url="http://127.0.0.1:9/x"), metadata=me.me
        )
    )
    await answered(
        me.endpoints.CreateEndpoint(
            CreateEndpointRequest(name=str(uuid4()), url=f"http://127.0.0.1:9/{text}"),
            metadata=me.me,
        )
    )
    for field in ("resource", "actor", "sphere", "stream", "request_id"):
        asked: dict[str, Any] = {field: text}
        request = ListEntriesRequest(**asked)
        entries = await answered(
            EntryServiceStub(fleet.channel("audit")).ListEntries(request, metadata=me.me)
        )
        assert entries is None or not entries.entries, field


async def test_no_text_is_ever_more_than_a_text(fleet: Fleet, me: Client, superuser: Any) -> None:
    CANARY.unlink(missing_ok=True)
    before = await sizes(superuser)
    for text in TEXTS:
        await hand_in(me, text)
    after = await sizes(superuser)
    shrunk = {name for name in before if after.get(name, -1) < before[name]}
    swept = {"identity.attempts", "identity.spent_assertions"}  # a minute old or more
    assert shrunk <= {"governance.resolutions", "nova.workers"} | swept
    assert not CANARY.exists()


async def test_a_model_that_writes_such_texts_does_no_more_than_it_was_allowed(
    me: Client,
) -> None:
    CANARY.unlink(missing_ok=True)
    for texts in (TEXTS[:20], TEXTS[20:]):
        tools = [
            {"name": "thread_create", "input": {"title": text, "founding_intent": text}}
            for text in texts
        ]
        plan = {"text": "".join(texts), "tools": tools, "finish": True}
        run = await approved(me, f"Create threads\n#simulate: {json.dumps(plan)}")
        assert [json.loads(a.arguments)["title"] for a in run.actions] == list(texts)
    assert set(TEXTS) <= set(await me.titles())
    assert not CANARY.exists()


async def test_what_a_person_is_shown_before_a_vote_hides_nothing(me: Client, hands: Hands) -> None:
    """Whatever an argument holds, the view shows each invisible or turning character by name."""
    for text in TEXTS:
        thread_id = await me.new_thread(text)
        action = use(
            me, "thread.append", Target("thread", thread_id), thread=thread_id, content=text
        )
        gated = await hands.ask(me, action, requires_checkpoint=True)
        view = (await me.checkpoint(gated.checkpoint.checkpoint_id)).view
        shown = json.dumps(json.loads(view), ensure_ascii=False)
        assert not set(shown) & set("\u202e\u200b\ufeff\u2066\x1b\r\n"), text


async def test_no_payload_reaches_the_headers_of_what_is_sent_out(me: Client, hands: Hands) -> None:
    async with Receiver() as outside:
        request = CreateEndpointRequest(name="A\r\nX-Injected: 1", url=outside.url("/status/200"))
        made = (await me.endpoints.CreateEndpoint(request, metadata=me.me)).endpoint
        target = Target("endpoint", made.endpoint_id, made.etag)
        payload = {"x\r\nX-Injected: 1": "\r\n\r\nGET / HTTP/1.1\r\n"}
        action = use(me, "webhook.send", target, endpoint=made.endpoint_id, payload=payload)
        request_id = str(uuid4())
        gated = await hands.ask(me, action, request_id)
        await me.approve(gated.checkpoint.checkpoint_id, comment="\r\nX-Injected: 1")
        permit = (await hands.ask(me, action, request_id)).permit
        await hands.execute(me, action, permit)
        assert outside.requests == 1
        (received,) = (message for got in outside.received.values() for message in got)
        assert json.loads(received.body) == payload
        assert "x-injected" not in received.headers


@pytest.fixture
async def http(fleet: Fleet, me: Client) -> AsyncIterator[httpx2.AsyncClient]:
    """The gateway, logged in to."""
    base = f"http://{fleet.address('gateway')}"
    headers = {"authorization": f"Bearer {me.session.access_token}"}
    async with httpx2.AsyncClient(base_url=base, timeout=30, headers=headers) as client:
        yield client


def harmless(answer: httpx2.Response, text: str) -> None:
    """It says no, as data, and puts nothing of the text into its headers."""
    assert answer.status_code < 500, (text, answer.text)
    kind = answer.headers.get("content-type", "")
    assert kind.startswith(("application/json", "application/problem+json")), (text, kind)
    assert answer.headers["x-content-type-options"] == "nosniff", text
    assert "stolen" not in str(answer.headers.get_list("set-cookie"))
    json.loads(answer.content)


async def test_no_path_query_or_header_of_a_request_comes_back_as_page_or_header(
    http: httpx2.AsyncClient,
) -> None:
    for text in TEXTS:
        part = quote(text, safe="")
        for answer in (
            await http.get(f"/api/v2/threads/{part}"),
            await http.get(f"/api/v2/threads?page_token={part}"),
            await http.get(f"/api/v2/threads?{part}=1"),
            await http.get(f"/{part}", headers={"accept": "text/html"}),
            await http.get(f"/api/v1/{part}", headers={"accept": "text/html"}),
            await http.post("/api/v2/threads", content=text.encode()),
            await http.post("/api/v2/threads", json={text: text}),
        ):
            harmless(answer, text)


@pytest.mark.parametrize("name", ["last-event-id", "if-match", "idempotency-key", "x-request-id",
                                  "x-che-nu-identity", "authorization", "traceparent"])  # fmt: skip
async def test_no_header_of_a_request_breaks_the_gateway(
    http: httpx2.AsyncClient, me: Client, name: str
) -> None:
    run = await me.execute("What is a thread?")
    for text in ("abc", "-1", "9" * 40, "\u00ff", "'; DROP TABLE x; --", "{", "0x1", ""):
        headers = {name.encode(): text.encode("latin-1")}
        for answer in (
            await http.get("/api/v2/threads", headers=headers),
            await http.post("/api/v2/threads", json={"title": "x"}, headers=headers),
            await http.get(f"/api/v2/nova/runs/{run.run_id}/watch", headers=headers),
        ):
            assert answer.status_code < 500, (name, text, answer.text)


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /api/v1/x%0d%0aSet-Cookie:%20stolen=1 HTTP/1.1",
        "GET /api/v1/%0d%0a%0d%0a<script>alert(1)</script> HTTP/1.1",
        "GET /api/auth/%E2%80%AE HTTP/1.1",
        "GET /%0d%0aSet-Cookie:%20stolen=1 HTTP/1.1",
    ],
)
async def test_an_encoded_line_break_never_ends_a_header(fleet: Fleet, request_line: str) -> None:
    host, _, port = fleet.address("gateway").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"{request_line}\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    answer = (await asyncio.wait_for(reader.read(), 30)).decode()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith(("HTTP/1.1 410", "HTTP/1.1 404")), answer
    assert not any(line.lower().startswith("set-cookie") for line in head.split("\r\n"))
    assert "<script>" not in head + body
