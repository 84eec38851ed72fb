"""Nova asks a model through one door, which only Claude stands behind, and every call is booked."""

import json
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest

from chenu.llm.v1.completion_pb2 import ContentBlock, Role, StopReason, TextBlock, Tool, Turn
from chenu.llm.v1.completion_service_pb2 import CompleteRequest, StreamCompleteRequest
from chenu.llm.v1.completion_service_pb2_grpc import CompletionServiceStub
from chenu.llm.v1.ledger_pb2 import LedgerEntry
from chenu.llm.v1.ledger_service_pb2 import ListLedgerEntriesRequest
from chenu.llm.v1.ledger_service_pb2_grpc import LedgerServiceStub
from kernel.errors import reason_of
from kernel.service import Service
from services.llm.completions import route
from services.llm.errors import ModelNotAllowed
from services.llm.settings import LlmSettings
from tests.support.database_urls import DatabaseUrls
from tests.support.identity import Person, StandInIdentity


def asking(text: str, **changes: Any) -> CompleteRequest:
    turn = Turn(role="user", content=[ContentBlock(text=TextBlock(text=text))])
    given: dict[str, Any] = {"role": Role.ROLE_NOVA, "turns": [turn], "run_id": str(uuid4())}
    return CompleteRequest(**(given | changes))


CREATE = Tool(
    name="thread_create",
    description="Found a thread.",
    input_schema=json.dumps(
        {
            "type": "object",
            "properties": {"title": {"type": "string"}, "founding_intent": {"type": "string"}},
            "required": ["title", "founding_intent"],
        }
    ),
)


async def booked(
    ledger: LedgerServiceStub, identity: StandInIdentity, person: Person, run_id: str
) -> list[LedgerEntry]:
    answer = await ledger.ListLedgerEntries(
        ListLedgerEntriesRequest(run_id=run_id), metadata=identity.as_human(person)
    )
    return list(answer.entries)


async def test_an_answer_names_its_model_says_that_it_is_simulated_and_is_booked(
    completions: CompletionServiceStub,
    ledger: LedgerServiceStub,
    identity: StandInIdentity,
    person: Person,
) -> None:
    request = asking("What is the capital of France?")
    answer = (await completions.Complete(request, metadata=identity.as_nova(person))).completion
    assert answer.model.startswith("claude-")
    assert answer.simulated
    assert answer.provider == "anthropic"
    assert answer.content[0].text.text
    assert answer.stop_reason == StopReason.STOP_REASON_END_TURN
    (entry,) = await booked(ledger, identity, person, request.run_id)
    assert entry.call_id == answer.call_id
    assert entry.outcome == "OK"
    assert entry.input_tokens == answer.usage.input_tokens > 0


async def test_tools_come_back_as_typed_uses(
    completions: CompletionServiceStub, identity: StandInIdentity, person: Person
) -> None:
    request = asking('Create a thread called "Garden"\n\n<context>{}</context>', tools=[CREATE])
    answer = (await completions.Complete(request, metadata=identity.as_nova(person))).completion
    uses = [b.tool_use for b in answer.content if b.HasField("tool_use")]
    assert uses[0].name == "thread_create"
    assert json.loads(uses[0].input)["title"] == "Garden"


async def test_a_streamed_answer_is_the_same_as_a_whole_one(
    completions: CompletionServiceStub,
    ledger: LedgerServiceStub,
    identity: StandInIdentity,
    person: Person,
) -> None:
    request = asking('Create a thread called "Garden"\n\n<context>{}</context>', tools=[CREATE])
    me = identity.as_nova(person)
    whole = (await completions.Complete(request, metadata=me)).completion
    parts = [
        part
        async for part in completions.StreamComplete(
            StreamCompleteRequest(request=request), metadata=me
        )
    ]
    streamed = parts[-1].completion
    assert "".join(p.text_delta for p in parts[:-1]) == streamed.content[0].text.text
    for block in (*whole.content, *streamed.content):
        block.tool_use.id = ""  # made anew for each message
    assert list(streamed.content) == list(whole.content)
    assert streamed.usage == whole.usage
    assert len(await booked(ledger, identity, person, request.run_id)) == 2


@pytest.mark.parametrize(
    ("fault", "code", "reason"),
    [
        ("overloaded", grpc.StatusCode.UNAVAILABLE, "PROVIDER_UNAVAILABLE"),
        ("garbage", grpc.StatusCode.UNAVAILABLE, "PROVIDER_UNAVAILABLE"),
        ("slow:9000", grpc.StatusCode.UNAVAILABLE, "PROVIDER_UNAVAILABLE"),
        ("truncate", grpc.StatusCode.UNAVAILABLE, "PROVIDER_UNAVAILABLE"),
        ("wrong_model", grpc.StatusCode.FAILED_PRECONDITION, "MODEL_MISMATCH"),
    ],
)
async def test_each_failure_of_the_provider_has_its_reason_and_a_ledger_row(
    completions: CompletionServiceStub,
    ledger: LedgerServiceStub,
    identity: StandInIdentity,
    fault: str,
    code: grpc.StatusCode,
    reason: str,
) -> None:
    person, request = Person(), asking(f"Hello\n#simulate-fault: {fault}")
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await completions.Complete(request, metadata=identity.as_nova(person))
    assert (failed.value.code(), reason_of(failed.value)) == (code, reason)
    entries = await booked(ledger, identity, person, request.run_id)
    # gRPC itself repeats UNAVAILABLE only where nothing was sent; each attempt has its row.
    assert {e.outcome for e in entries} == {reason}


@pytest.mark.parametrize("fault", ["truncate", "garbage", "overloaded"])
async def test_a_stream_that_breaks_off_or_never_begins_is_no_answer_and_is_booked(
    completions: CompletionServiceStub,
    ledger: LedgerServiceStub,
    identity: StandInIdentity,
    person: Person,
    fault: str,
) -> None:
    request = asking(f"Tell me a story\n#simulate-fault: {fault}")
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        async for _ in completions.StreamComplete(
            StreamCompleteRequest(request=request), metadata=identity.as_nova(person)
        ):
            pass
    assert reason_of(failed.value) == "PROVIDER_UNAVAILABLE"
    assert [e.outcome for e in await booked(ledger, identity, person, request.run_id)] == [
        "PROVIDER_UNAVAILABLE"
    ]


async def test_a_model_outside_the_list_is_refused_before_anything_is_dialled(
    completions: CompletionServiceStub,
    ledger: LedgerServiceStub,
    identity: StandInIdentity,
    person: Person,
) -> None:
    request = asking("Hello", model="gpt-4o")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await completions.Complete(request, metadata=identity.as_nova(person))
    assert reason_of(refused.value) == "MODEL_NOT_ALLOWED"
    assert await booked(ledger, identity, person, request.run_id) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"models": ("gpt-4o",)},
        {"anthropic_url": "https://api.deepseek.com/anthropic"},
        {"anthropic_url": "http://api.anthropic.com"},
        {"anthropic_url": "https://api.anthropic.com.evil.example"},
        {"anthropic_url": "http://127.0.0.1:9", "simulator_host": "127.0.0.1:8"},
        {"anthropic_url": "https://user@evil.example/api.anthropic.com"},
    ],
)
def test_no_setting_makes_a_route_to_anything_but_claude_or_the_named_simulator(
    urls: DatabaseUrls, changes: dict[str, Any]
) -> None:
    settings = LlmSettings(database_url=urls.app, worker_database_url=urls.worker, **changes)
    with pytest.raises(ModelNotAllowed):
        route(settings, settings.models[0])


async def test_the_environment_cannot_point_the_sdk_elsewhere(
    completions: CompletionServiceStub,
    identity: StandInIdentity,
    person: Person,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "stolen")
    answer = await completions.Complete(asking("Hello"), metadata=identity.as_nova(person))
    assert answer.completion.simulated


@pytest.mark.parametrize("who", ["human", "agent", "delegation alone", "another service"])
async def test_only_nova_may_ask(
    completions: CompletionServiceStub, identity: StandInIdentity, person: Person, who: str
) -> None:
    metadata = {
        "human": identity.as_human(person),
        "agent": identity.as_agent(person, str(uuid4())),
        "delegation alone": (("authorization", f"Bearer {identity.delegation(person)}"),),
        "another service": (
            ("authorization", f"Bearer {identity.delegation(person)}"),
            ("x-chenu-service-authorization", f"Bearer {identity.service('threads')}"),
        ),
    }[who]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await completions.Complete(asking("Hello"), metadata=metadata)
    assert refused.value.code() in (
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
    )


async def test_the_ledger_shows_a_person_their_own_calls_only_page_by_page(
    completions: CompletionServiceStub,
    ledger: LedgerServiceStub,
    identity: StandInIdentity,
    person: Person,
) -> None:
    stranger = Person()
    for _ in range(3):
        await completions.Complete(asking("Hello"), metadata=identity.as_nova(person))
    await completions.Complete(asking("Hello"), metadata=identity.as_nova(stranger))
    me, seen, token = identity.as_human(person), [], ""
    while True:
        page = await ledger.ListLedgerEntries(
            ListLedgerEntriesRequest(page_size=2, page_token=token), metadata=me
        )
        seen += [e.call_id for e in page.entries]
        token = page.next_page_token
        if not token:
            break
    assert len(seen) == len(set(seen)) == 3
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize("statement", ["UPDATE llm.ledger SET host = ''", "DELETE FROM llm.ledger"])
async def test_what_was_booked_cannot_be_changed(
    urls: DatabaseUrls, service: Service[LlmSettings], statement: str
) -> None:
    for url in (urls.app, urls.worker, urls.admin):
        connection = await asyncpg.connect(url)
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        finally:
            await connection.close()


async def test_no_word_of_what_was_said_is_stored(
    completions: CompletionServiceStub,
    identity: StandInIdentity,
    person: Person,
    superuser: asyncpg.Connection,
) -> None:
    secret = f"the word {uuid4()}"
    await completions.Complete(asking(secret), metadata=identity.as_nova(person))
    for table in ("ledger", "outbox"):
        rows = await superuser.fetch(f"SELECT t::text AS words FROM llm.{table} t")
        assert not [row for row in rows if secret in row["words"]]
    events = await superuser.fetch("SELECT event FROM llm.outbox")
    assert not [row for row in events if secret.encode() in row["event"]]
