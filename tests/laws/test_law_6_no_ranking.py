"""Law 6: lists are ordered by time, people and things by name, and by nothing that was counted."""

import json
import random
import re
from typing import Any

from google.protobuf.descriptor import Descriptor

from chenu.courier.v1.endpoint_service_pb2 import CreateEndpointRequest, ListEndpointsRequest
from chenu.governance.v1.checkpoint_service_pb2 import ListCheckpointsRequest
from chenu.identity.v1.agent_service_pb2 import HireAgentRequest, ListAgentsRequest
from chenu.identity.v1.agent_service_pb2_grpc import AgentServiceStub
from chenu.nova.v1.run_service_pb2 import ListRunsRequest
from chenu.threads.v1.message_service_pb2 import CreateMessageRequest
from chenu.threads.v1.message_service_pb2_grpc import MessageServiceStub
from chenu.threads.v1.thread_service_pb2 import GetThreadRequest, ListThreadsRequest
from deploy.postgres.roles import SERVICES
from tests.laws.hands import Hands, use
from tests.laws.stories import blocked
from tests.support.descriptors import described, methods
from tests.support.fleet import Client

# Words by which something could be put before something else, or by which one would count for it.
RANKING = re.compile(
    r"(^|_)(sort|order_by|orderby|ordering|rank|ranking|score|popularity|popular|trending|trend"
    r"|likes?|views_count|view_count|votes_count|engagement|relevance|boost|hot|top|stars?"
    r"|favou?rites?|upvotes?|downvotes?|followers?|impressions?|clicks?|weight)(_|$)"
)


def fields(message: Descriptor) -> list[str]:
    """The names of all fields of a message."""
    return [f"{message.full_name}.{field.name}" for field in message.fields]


def test_no_request_asks_for_an_order_and_no_answer_carries_a_rank() -> None:
    pool, files = described()
    names = [
        name
        for file in files.file
        if file.package.startswith("chenu.")
        for message in file.message_type
        for name in fields(pool.FindMessageTypeByName(f"{file.package}.{message.name}"))
    ]
    assert len(names) > 300
    assert [n for n in names if RANKING.search(n.rpartition(".")[2])] == []
    assert [m.full_name for m in methods() if RANKING.search(_snake(m.name))] == []


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


async def test_no_table_keeps_a_count_of_anybodys_favour(
    superuser: Any,
) -> None:
    columns = await superuser.fetch(
        "SELECT table_schema || '.' || table_name || '.' || column_name AS name"
        " FROM information_schema.columns WHERE table_schema = ANY ($1::text[])",
        list(SERVICES),
    )
    assert len(columns) > 200
    assert [c["name"] for c in columns if RANKING.search(c["name"].rpartition(".")[2])] == []


async def titles(me: Client, **fields: Any) -> list[str]:
    """What ListThreads shows, over all of its pages."""
    found: list[str] = []
    request = ListThreadsRequest(page_size=3, **fields)
    while True:
        page = await me.threads.ListThreads(request, metadata=me.me)
        found += [thread.title for thread in page.threads]
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def test_the_busiest_thread_comes_after_the_one_that_was_touched_last(me: Client) -> None:
    rng = random.Random(6)
    names = [f"Thread {n}" for n in range(8)]
    ids = {name: await me.new_thread(name) for name in names}
    messages = MessageServiceStub(me.fleet.channel("threads"))
    touched = [rng.choice(names) for _ in range(40)]
    touched += rng.sample(names, len(names))  # each at least once
    for name in touched:
        await messages.CreateMessage(
            CreateMessageRequest(thread_id=ids[name], content="x"), metadata=me.me
        )
    by_time = list(dict.fromkeys(reversed(touched)))
    assert await titles(me) == by_time
    assert await titles(me, title_contains="Thread") == by_time
    times = []
    for name in by_time:
        request = GetThreadRequest(thread_id=ids[name])
        read = await me.threads.GetThread(request, metadata=me.me)
        times.append(read.thread.update_time.ToNanoseconds())
    assert times == sorted(times, reverse=True)


async def test_what_is_written_into_the_database_beside_the_time_moves_nothing(
    me: Client, superuser: Any
) -> None:
    """A thread is given every other sign of importance that its row can bear."""
    ids = {name: await me.new_thread(name) for name in ("Old", "Middle", "New")}
    await superuser.execute(
        "UPDATE threads.threads SET event_count = event_count + 1000000, visibility = 'public',"
        " tags = ARRAY['top', 'hot', 'promoted'], revision = revision + 1000"
        " WHERE thread_id = $1",
        ids["Old"],
    )
    assert await titles(me) == ["New", "Middle", "Old"]


async def test_a_search_tells_what_it_finds_by_time_and_not_by_how_well_it_fits(
    me: Client, hands: Hands
) -> None:
    for title in ("Garden garden garden", "A garden, once", "Garden", "Nothing alike: garden"):
        await me.new_thread(title)
    action = use(me, "thread.search", query="garden")
    answer = await hands.execute(me, action, (await hands.ask(me, action)).permit)
    found = [thread["title"] for thread in json.loads(answer.result)["threads"]]
    assert found == await titles(me)


async def test_an_urgent_checkpoint_waits_its_turn(me: Client, superuser: Any) -> None:
    for title in ("First", "Second", "Third"):
        await me.new_thread(title)
        await blocked(me, f"Delete the thread “{title}”")
    waiting = await me.inbox()
    by_time = [c.checkpoint_id for c in waiting]
    times = [c.create_time.ToNanoseconds() for c in waiting]
    assert times == sorted(times, reverse=True)
    await superuser.execute(
        "ALTER TABLE governance.checkpoints DISABLE TRIGGER guard;"
        "ALTER TABLE governance.checkpoints DISABLE TRIGGER guard_edit;"
        f" UPDATE governance.checkpoints SET priority = 'critical'"
        f" WHERE checkpoint_id = '{by_time[-1]}';"
        " ALTER TABLE governance.checkpoints ENABLE ALWAYS TRIGGER guard;"
        " ALTER TABLE governance.checkpoints ENABLE ALWAYS TRIGGER guard_edit"
    )
    listed = await me.checkpoints.ListCheckpoints(ListCheckpointsRequest(), metadata=me.me)
    assert [c.checkpoint_id for c in listed.checkpoints] == by_time


async def test_runs_are_listed_by_time_whatever_they_came_to(me: Client) -> None:
    texts = ("What is a thread?", "Create a thread called “A”", "What is a run?")
    started = [(await me.execute(text)).run_id for text in texts]
    listed = await me.runs.ListRuns(ListRunsRequest(), metadata=await me.nova())
    assert [run.run_id for run in listed.runs] == started[::-1]


async def test_agents_and_endpoints_are_listed_by_name(me: Client) -> None:
    agents = AgentServiceStub(me.fleet.channel("identity"))
    names = ["Zoe", "Adam", "Bob"]
    for name in names:
        await agents.HireAgent(
            HireAgentRequest(display_name=name, session_secret=me.session.session_secret),
            metadata=me.me,
        )
        request = CreateEndpointRequest(name=name, url="http://127.0.0.1:9/x")
        await me.endpoints.CreateEndpoint(request, metadata=me.me)
    hired = await agents.ListAgents(ListAgentsRequest(), metadata=me.me)
    known = await me.endpoints.ListEndpoints(ListEndpointsRequest(), metadata=me.me)
    assert [agent.display_name for agent in hired.agents] == sorted(names)
    assert [endpoint.name for endpoint in known.endpoints] == sorted(names)
