"""`chenu threads …`: conversations and pieces of work."""

import asyncio
from typing import Annotated
from uuid import uuid4

import typer
from google.protobuf.field_mask_pb2 import FieldMask

from chenu.threads.v1.message_pb2 import Message
from chenu.threads.v1.message_service_pb2 import (
    CreateMessageRequest,
    ListMessagesRequest,
    ListMessagesResponse,
)
from chenu.threads.v1.message_service_pb2_grpc import MessageServiceStub
from chenu.threads.v1.thread_event_service_pb2 import ListThreadEventsRequest
from chenu.threads.v1.thread_event_service_pb2_grpc import ThreadEventServiceStub
from chenu.threads.v1.thread_pb2 import Thread
from chenu.threads.v1.thread_service_pb2 import (
    ArchiveThreadRequest,
    CreateThreadRequest,
    GetThreadRequest,
    GetThreadResponse,
    ListThreadsRequest,
    ReopenThreadRequest,
    ResolveThreadRequest,
    UpdateThreadRequest,
    WatchThreadRequest,
)
from chenu.threads.v1.thread_service_pb2_grpc import ThreadServiceStub
from cli.command import PageOption, command
from cli.here import Here, as_json
from cli.problems import UsageProblem
from cli.rendering import short
from cli.running import text_of
from cli.thread_lookup import thread_id
from cli.thread_view import events_table, thread_view, threads_table
from cli.words import KINDS, SPHERES, STATUSES, listed, number

Which = Annotated[str, typer.Argument(metavar="THREAD", help="Its id, an end of it, or its title.")]
Etag = Annotated[str, typer.Option("--etag", help="Only if it still has this etag.")]
Tag = Annotated[list[str] | None, typer.Option("--tag", help="A tag; may be given again.")]


async def list_threads(
    here: Here,
    sphere: Annotated[str, typer.Option(help=f"Only these: {listed(SPHERES)}.")] = "",
    status: Annotated[str, typer.Option(help=f"Only these: {listed(STATUSES)}.")] = "",
    title: Annotated[str, typer.Option(help="Only titles that contain this.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    page: PageOption = "",
) -> None:
    """List your threads, the latest change first; archived ones only with --status archived."""
    answer = await here.connection.stub(ThreadServiceStub).ListThreads(
        ListThreadsRequest(
            page_size=limit,
            page_token=page,
            sphere=number(SPHERES, sphere, "--sphere"),  # type: ignore[arg-type]
            status=number(STATUSES, status, "--status"),  # type: ignore[arg-type]
            title_contains=title,
        )
    )
    here.show(answer, lambda found: threads_table(found.threads))


async def create(
    here: Here,
    *,
    title: Annotated[str, typer.Argument(help="What it is called.")],
    intent: Annotated[
        str, typer.Option(help="Why it exists; never changes. Default: the title.")
    ] = "",
    about: Annotated[str, typer.Option("--description", help="More about it.")] = "",
    sphere: Annotated[str, typer.Option(help=f"One of: {listed(SPHERES)}.")] = "",
    kind: Annotated[str, typer.Option(help=f"One of: {listed(KINDS)}.")] = "",
    tag: Tag = None,
) -> None:
    """Found a thread yourself; Nova does the same when you ask it to.

    [bold]chenu threads create "Taxes 2026" --intent "File on time" --tag money[/bold]
    """
    answer = await here.connection.stub(ThreadServiceStub).CreateThread(
        CreateThreadRequest(
            title=title,
            founding_intent=intent or title,
            description=about,
            sphere=number(SPHERES, sphere, "--sphere"),  # type: ignore[arg-type]
            kind=number(KINDS, kind, "--kind"),  # type: ignore[arg-type]
            tags=tag or (),
            request_id=str(uuid4()),
        )
    )
    here.show(answer, lambda made: thread_view(made.thread))


async def show(here: Here, which: Which) -> None:
    """Show a thread and its messages."""
    identifier = await thread_id(here.connection, which)
    found: GetThreadResponse = await here.connection.stub(ThreadServiceStub).GetThread(
        GetThreadRequest(thread_id=identifier)
    )
    if here.json:
        here.write(as_json(found))
        return
    stub, said = here.connection.stub(MessageServiceStub), list[Message]()
    request = ListMessagesRequest(thread_id=identifier, page_size=200)
    while True:
        page: ListMessagesResponse = await stub.ListMessages(request)
        said.extend(page.messages)
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    here.tell(thread_view(found.thread, said))


async def events(
    here: Here,
    which: Which,
    after: Annotated[int, typer.Option(min=0, help="Only those with a higher number.")] = 0,
    follow: Annotated[bool, typer.Option("--follow", help="Then wait for more.")] = False,
) -> None:
    """Show a thread's history, which is added to and never changed."""
    identifier = await thread_id(here.connection, which)
    stub = here.connection.stub(ThreadEventServiceStub)
    request = ListThreadEventsRequest(thread_id=identifier, page_size=200, after_sequence=after)
    while True:
        answer = await stub.ListThreadEvents(request)
        here.show(answer, lambda found: events_table(found.events))
        after = max([after, *(event.sequence_number for event in answer.events)])
        request.page_token = answer.next_page_token
        if not answer.next_page_token:
            break
    if follow:
        await _follow(here, identifier, after)


async def message(
    here: Here,
    which: Which,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="TEXT", help="@FILE for a file, - for input.")
    ] = None,
) -> None:
    """Write a message into a thread, as yourself."""
    answer = await here.connection.stub(MessageServiceStub).CreateMessage(
        CreateMessageRequest(
            thread_id=await thread_id(here.connection, which),
            content=await text_of(words or [], None),
            request_id=str(uuid4()),
        )
    )
    here.show(answer, lambda made: f"Message {short(made.message.message_id)} is written.")


async def update(
    here: Here,
    which: Which,
    *,
    title: Annotated[str, typer.Option(help="A new title.")] = "",
    about: Annotated[str, typer.Option("--description", help="A new description.")] = "",
    kind: Annotated[str, typer.Option(help=f"One of: {listed(KINDS)}.")] = "",
    tag: Tag = None,
    etag: Etag = "",
) -> None:
    """Change title, description, kind or tags; the founding intent never changes."""
    changed = {"title": title, "description": about, "kind": kind, "tags": tag}
    paths = [name for name, value in changed.items() if value]
    if not paths:
        raise UsageProblem("what should change? give --title, --description, --kind or --tag")
    stub = here.connection.stub(ThreadServiceStub)
    identifier = await thread_id(here.connection, which)
    found = (await stub.GetThread(GetThreadRequest(thread_id=identifier))).thread
    wanted = Thread(
        title=title,
        description=about,
        kind=number(KINDS, kind, "--kind"),  # type: ignore[arg-type]
        tags=tag or (),
    )
    answer = await stub.UpdateThread(
        UpdateThreadRequest(
            thread_id=identifier,
            thread=wanted,
            update_mask=FieldMask(paths=paths),
            etag=etag or found.etag,
            request_id=str(uuid4()),
        )
    )
    here.show(answer, lambda made: thread_view(made.thread))


async def archive(here: Here, which: Which, etag: Etag = "") -> None:
    """Put a thread away; it stays readable and can be reopened."""
    identifier = await thread_id(here.connection, which)
    answer = await here.connection.stub(ThreadServiceStub).ArchiveThread(
        ArchiveThreadRequest(thread_id=identifier, etag=etag)
    )
    here.show(answer, lambda made: thread_view(made.thread))


async def resolve(here: Here, which: Which, etag: Etag = "") -> None:
    """Mark a thread as resolved."""
    identifier = await thread_id(here.connection, which)
    answer = await here.connection.stub(ThreadServiceStub).ResolveThread(
        ResolveThreadRequest(thread_id=identifier, etag=etag)
    )
    here.show(answer, lambda made: thread_view(made.thread))


async def reopen(here: Here, which: Which, etag: Etag = "") -> None:
    """Make a resolved or archived thread active again."""
    identifier = await thread_id(here.connection, which)
    answer = await here.connection.stub(ThreadServiceStub).ReopenThread(
        ReopenThreadRequest(thread_id=identifier, etag=etag)
    )
    here.show(answer, lambda made: thread_view(made.thread))


async def _follow(here: Here, identifier: str, after: int) -> None:
    stub = here.connection.stub(ThreadServiceStub)
    while True:
        request = WatchThreadRequest(thread_id=identifier, after_sequence=after)
        async for answer in stub.WatchThread(request):
            after = max(after, answer.sequence_number)
            if answer.HasField("event"):
                here.show(answer, lambda found: events_table([found.event]))
        await asyncio.sleep(0.2)


def register_commands(app: typer.Typer) -> None:
    """Add them to the application."""
    group = typer.Typer(no_args_is_help=True, help="Conversations and pieces of work.")
    command(group, "list")(list_threads)
    command(group, "create")(create)
    command(group, "show")(show)
    command(group, "events")(events)
    command(group, "message")(message)
    command(group, "update")(update)
    command(group, "resolve")(resolve)
    command(group, "archive")(archive)
    command(group, "reopen")(reopen)
    app.add_typer(group, name="threads", rich_help_panel="Things")
