"""Plans one round of a request: what to say, which tools to use, and whether that is all.

Pure and without memory: every round reads the whole conversation again, so the same conversation
always gives the same plan.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from deploy.local.simulator.arguments import TELL, Step, topic_of
from deploy.local.simulator.conversation import Conversation, Result, threads_in
from deploy.local.simulator.orders import steps_of
from deploy.local.simulator.phrases import Voice
from deploy.local.simulator.plan import Call, Plan
from deploy.local.simulator.references import Current, Earlier, Found
from deploy.local.simulator.wording import in_french

FINISH: Final = "finish"
MOST_AT_ONCE: Final = 20


class _NoneMeant(Exception):
    """A step needs threads that the results do not hold, or hold too many of."""


def plan(conversation: Conversation, tools: Mapping[str, Any]) -> Plan:
    """The next round's plan, with no tool but those offered, whose schemas `tools` holds."""
    voice = Voice(in_french(conversation.request), _names(conversation))
    conversation = replace(conversation, rounds=[r for r in conversation.rounds if not _stale(r)])
    if failed := [result for result in conversation.results if result.failed]:
        said_no = [result for result in failed if result.reason == "REJECTED"]
        return Plan(voice.refusal(said_no[0]) if said_no else voice.failure(failed[0]))
    steps = list(_linked(steps_of(conversation.request), conversation, voice))
    wanted = {step.tool for step in steps} - {TELL}
    if not wanted:
        return Plan(voice.answer(conversation))
    if missing := sorted(wanted - set(tools)):
        return Plan(voice.no_tool(missing))
    return _round(_rounds(steps), conversation, voice, tools)


def _round(
    rounds: list[list[Step]], conversation: Conversation, voice: Voice, tools: Mapping[str, Any]
) -> Plan:
    number = len(conversation.rounds)
    steps = rounds[number] if number < len(rounds) else []
    try:
        calls = [call for step in steps for call in _calls(step, conversation)]
    except _NoneMeant:
        found = bool(_found(conversation.rounds))
        return Plan(voice.nothing_meant(conversation.results, found))
    if not calls:
        return Plan(voice.report(conversation.results))
    last = number == len(rounds) - 1
    used = [call.fitted(tools[call.tool]) for call in calls]
    if last and FINISH in tools:
        used.append(Call(FINISH, {"answer": voice.report(conversation.results, calls)}))
    return Plan(voice.intention(calls, last), tuple(used))


def _stale(results: Sequence[Result]) -> bool:
    """Whether a round came to nothing because a target had changed: it is planned again."""
    changed = any(result.reason == "TARGET_CHANGED" for result in results)
    return changed and all(result.failed for result in results)


def _names(conversation: Conversation) -> dict[str, str]:
    known = [
        *conversation.known("threads"),
        *(thread for result in conversation.results for thread in threads_in(result.content)),
    ]
    return {str(thread.get("id")): str(thread.get("title", "")) for thread in known}


def _linked(steps: Sequence[Step], conversation: Conversation, voice: Voice) -> Iterator[Step]:
    """The steps with what they leave unsaid: what `it` is, a new thread's sphere, a search."""
    spoken: Any = ""
    sought = ""
    for step in steps:
        thread, arguments = step.thread, step.arguments
        if isinstance(thread, Earlier):
            thread = spoken or conversation.current_thread or thread.words
        elif isinstance(thread, Current):
            thread = conversation.current_thread or thread.words
        elif isinstance(thread, Found):
            query = topic_of(thread.words)
            if query not in ("", sought):
                yield Step("thread_search", {"query": query})
                sought = query
            elif not sought:
                thread = thread.words
        if step.tool == "thread_create":
            title = arguments["title"] or voice.untitled
            sphere = arguments["sphere"] or _sphere_beside(conversation)
            arguments = {**arguments, "title": title, "sphere": sphere}
            spoken = title
        elif step.tool == "thread_search":
            spoken, sought = Found("it", "only"), arguments["query"]
        else:
            spoken = thread or spoken
        yield replace(step, thread=thread, arguments=arguments)


def _rounds(steps: Sequence[Step]) -> list[list[Step]]:
    """The steps divided where one needs what an earlier one of the same round gives back."""
    rounds: list[list[Step]] = [[]]
    for step in steps:
        titles = [e.arguments["title"] for e in rounds[-1] if e.tool == "thread_create"]
        searched = any(earlier.tool == "thread_search" for earlier in rounds[-1])
        needs_search = isinstance(step.thread, Found) or step.tool == TELL
        if (needs_search and searched) or step.thread in titles:
            rounds.append([])
        rounds[-1].append(step)
    if any(step.tool == "thread_search" for step in rounds[-1]):
        rounds.append([Step(TELL, {})])  # nobody searches without wanting to know
    return rounds


def _calls(step: Step, conversation: Conversation) -> Iterator[Call]:
    if step.tool == TELL:
        return
    if step.thread is None:
        yield Call(step.tool, step.arguments)
        return
    for thread in _threads(step.thread, conversation):
        yield Call(step.tool, {"thread": thread, **step.arguments})


def _threads(thread: Any, conversation: Conversation) -> list[str]:
    """The words as they were said; ids only where a result gave them."""
    if not isinstance(thread, Found):
        return _created(thread, conversation)[:1] or [thread]
    found = _found(conversation.rounds)
    if thread.place == "all":
        chosen = found[:MOST_AT_ONCE]
    elif thread.place == "only":
        chosen = found if len(found) == 1 else []
    elif thread.place < len(found):
        chosen = [found[thread.place]] if found else []
    else:
        chosen = []
    if not chosen:
        raise _NoneMeant
    return chosen


def _created(title: str, conversation: Conversation) -> list[str]:
    return [
        identity
        for result in conversation.results
        if result.tool == "thread_create" and result.arguments.get("title") == title
        for identity in _made(result.content)
    ]


def _made(content: Any) -> list[str]:
    identity = content.get("thread_id") if isinstance(content, dict) else None
    return [identity] if isinstance(identity, str) else [t["id"] for t in threads_in(content)]


def _found(rounds: Sequence[Sequence[Result]]) -> list[str]:
    """Ids of what the newest round that searched has found."""
    for results in reversed(rounds):
        searches = [result for result in results if result.tool == "thread_search"]
        if searches:
            return [t["id"] for search in searches for t in threads_in(search.content)]
    return []


def _sphere_beside(conversation: Conversation) -> str:
    """Where a new thread belongs when nobody says: beside the current one."""
    for thread in conversation.known("threads"):
        if thread.get("id") == conversation.current_thread and thread.get("sphere"):
            return str(thread["sphere"])
    return "personal"
