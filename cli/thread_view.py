"""Threads as people read them."""

import json
from collections.abc import Iterable

from google.protobuf.json_format import MessageToDict
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from chenu.threads.v1.message_pb2 import Message
from chenu.threads.v1.thread_event_pb2 import ThreadEvent
from chenu.threads.v1.thread_pb2 import Thread
from cli.rendering import ago, facts, one_line, safe, short, table, when, word


def threads_table(threads: Iterable[Thread]) -> RenderableType:
    """Threads, one line each."""
    return table(
        ("thread", "title", "sphere", "kind", "status", "events", "changed", "tags"),
        (
            (
                short(one.thread_id),
                one_line(one.title, 60) + (" (shared)" if one.reader_identity_ids else ""),
                word(one, "sphere"),
                word(one, "kind"),
                word(one, "status"),
                one.event_count,
                ago(one.update_time),
                ", ".join(safe(tag) for tag in one.tags),
            )
            for one in threads
        ),
        empty='No threads. Found one: chenu threads create TITLE --intent "why it exists"',
    )


def thread_view(thread: Thread, messages: Iterable[Message] = ()) -> RenderableType:
    """A thread with its messages."""
    parts: list[RenderableType] = [
        facts(
            (
                ("thread", thread.thread_id),
                ("title", Text(safe(thread.title), style="bold")),
                ("founded to", safe(thread.founding_intent)),
                ("about", safe(thread.description)),
                ("sphere", word(thread, "sphere")),
                ("kind", word(thread, "kind")),
                ("status", word(thread, "status")),
                ("visible to", word(thread, "visibility").replace("_", " ")),
                ("owner", thread.owner_identity_id if thread.reader_identity_ids else ""),
                ("shared with", ", ".join(thread.reader_identity_ids)),
                ("tags", ", ".join(safe(tag) for tag in thread.tags)),
                ("events", thread.event_count),
                ("etag", thread.etag),
                ("founded", f"{when(thread.create_time)} ({ago(thread.create_time)})"),
                ("changed", f"{when(thread.update_time)} ({ago(thread.update_time)})"),
            )
        )
    ]
    for message in messages:
        title = f"{word(message, 'role')} · {when(message.create_time)}"
        parts.append(Panel(Text(safe(message.content)), title=title, title_align="left"))
    return Group(*parts)


def events_table(events: Iterable[ThreadEvent]) -> RenderableType:
    """A thread's history."""
    return table(
        ("no.", "event", "by", "when", "payload", "digest"),
        (
            (
                one.sequence_number,
                word(one, "type"),
                one.actor_type,
                when(one.create_time),
                one_line(payload(one), 80),
                one.payload_digest[:19],
            )
            for one in events
        ),
        empty="No events.",
    )


def payload(event: ThreadEvent) -> str:
    """An event's content as JSON; empty where there is none."""
    if not event.HasField("payload"):
        return ""
    return json.dumps(MessageToDict(event.payload), ensure_ascii=False, sort_keys=True)
