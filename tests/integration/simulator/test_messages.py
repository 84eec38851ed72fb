"""The official client talks to the simulator: words, tools, rounds, streams."""

import json
from typing import Any

from anthropic import AsyncAnthropic
from anthropic.types import MessageParam, ToolParam

MODEL = "claude-sonnet-5-5"
NAMES = (
    "thread_create thread_search thread_append thread_archive thread_delete thread_transfer"
    " webhook_send finish"
)
TOOLS = [
    ToolParam(name=name, description=name, input_schema={"type": "object"})
    for name in NAMES.split()
]


def ask(words: str) -> MessageParam:
    context = {"threads": [], "endpoints": [], "current_thread": ""}
    return {"role": "user", "content": f"{words}\n\n<context>{json.dumps(context)}</context>"}


async def create(client: AsyncAnthropic, *messages: MessageParam, **options: Any) -> Any:
    return await client.messages.create(
        model=MODEL, max_tokens=1000, system="Plan.", messages=messages, tools=TOOLS, **options
    )


async def test_a_question_is_answered_in_words(client: AsyncAnthropic) -> None:
    message = await create(client, ask("What is the capital of France?"))
    assert message.stop_reason == "end_turn"
    assert [block.type for block in message.content] == ["text"]
    assert "simulated" in message.content[0].text
    assert message.id.startswith("msg_sim_")
    assert message.model == MODEL


async def test_every_answer_is_labelled(client: AsyncAnthropic) -> None:
    raw = await client.messages.with_raw_response.create(
        model=MODEL, max_tokens=10, messages=[ask("Hello")]
    )
    assert raw.headers["x-chenu-simulator"] == "1"
    assert raw.headers["request-id"].startswith("req_sim_")


async def test_an_order_is_planned_with_tools(client: AsyncAnthropic) -> None:
    message = await create(client, ask('Delete the thread "Old" and archive "Attic"'))
    assert message.stop_reason == "tool_use"
    uses = [(b.name, b.input) for b in message.content if b.type == "tool_use"]
    assert uses[:2] == [
        ("thread_delete", {"thread": "Old"}),
        ("thread_archive", {"thread": "Attic"}),
    ]
    assert [name for name, _ in uses[2:]] == ["finish"]


async def test_rounds_go_on_until_the_plan_is_whole(client: AsyncAnthropic) -> None:
    messages = [
        ask(
            "Search for threads about rent, archive the first, then search for threads about tax"
            " and tell me what you find"
        )
    ]
    planned = []
    for found in ("Rent", "Tax", None):
        message = await create(client, *messages)
        uses = [block for block in message.content if block.type == "tool_use"]
        planned.append([(use.name, use.input) for use in uses])
        if found is None:
            break
        thread = {"id": f"id-{found}", "title": found}
        messages += [
            {"role": "assistant", "content": message.content},
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": use.id, "content": json.dumps([thread])}
                    for use in uses
                ],
            },
        ]
    assert planned == [
        [("thread_search", {"query": "rent"})],
        [("thread_archive", {"thread": "id-Rent"}), ("thread_search", {"query": "tax"})],
        [],
    ]
    assert message.stop_reason == "end_turn"
    assert "Tax" in message.content[0].text


async def test_a_stream_adds_up_to_the_same_message(client: AsyncAnthropic) -> None:
    words = 'Create a thread called "Kitchen" and send {"n": [1, 2]} to ops'
    whole = await create(client, ask(words))
    async with client.messages.stream(
        model=MODEL, max_tokens=1000, system="Plan.", messages=[ask(words)], tools=TOOLS
    ) as stream:
        kinds = [event.type async for event in stream]
        streamed = await stream.get_final_message()
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    assert streamed.stop_reason == whole.stop_reason
    assert streamed.usage.output_tokens == whole.usage.output_tokens
    told = [
        [block.model_dump(exclude={"id", "parsed_output"}) for block in message.content]
        for message in (whole, streamed)
    ]
    assert told[0] == told[1]


async def test_a_request_may_dictate_the_plan(client: AsyncAnthropic) -> None:
    script = {"text": "As told", "tools": [{"name": "unheard_of", "input": {"a": 1}}]}
    message = await create(client, ask(f"Anything\n#simulate: {json.dumps(script)}"))
    assert message.content[0].text == "As told"
    assert (message.content[1].name, message.content[1].input) == ("unheard_of", {"a": 1})
    assert len(message.content) == 2


async def test_tokens_are_counted_as_a_message_would_be(client: AsyncAnthropic) -> None:
    asked = ask("Hello there")
    counted = await client.messages.count_tokens(
        model=MODEL, system="Plan.", messages=[asked], tools=TOOLS
    )
    message = await create(client, asked)
    assert counted.input_tokens == message.usage.input_tokens


async def test_an_answer_stops_at_its_limit(client: AsyncAnthropic) -> None:
    message = await client.messages.create(
        model=MODEL, max_tokens=2, messages=[ask("What is the capital of France?")]
    )
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens == 2


async def test_the_listed_models_say_that_they_are_simulated(client: AsyncAnthropic) -> None:
    models = [model async for model in client.models.list()]
    assert models
    assert all("simulator" in model.display_name for model in models)
    assert await client.models.retrieve(models[0].id) == models[0]
