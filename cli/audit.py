"""`chenu audit`: what happened, and the proof that nobody changed it since."""

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from chenu.audit.v1.entry_pb2 import Entry
from chenu.audit.v1.entry_service_pb2 import (
    GetEntryRequest,
    ListEntriesRequest,
    ListSystemEntriesRequest,
)
from chenu.audit.v1.entry_service_pb2_grpc import EntryServiceStub
from chenu.audit.v1.log_service_pb2 import GetInclusionProofRequest, GetTreeHeadRequest
from chenu.audit.v1.log_service_pb2_grpc import LogServiceStub
from cli.audit_alerts import close_alert, list_alerts
from cli.audit_keys import key, rotate_key
from cli.audit_reading import FilterOption, statistics, violations, watch
from cli.audit_retention import erase, hold, list_erasures, list_holds, release
from cli.audit_verify import export, verify
from cli.command import PageOption, command
from cli.here import Here, as_json
from cli.problems import FAILED, OK
from cli.rendering import facts, one_line, safe, table, when, word
from cli.verification.keys import read_keys, split_keys
from cli.verification.verdict import Malformed
from cli.words import AUDIT_ACTIONS, listed, number
from kernel.receipts import ReceiptInvalid, check_inclusion, leaf_hash, open_tree_head


async def list_entries(
    here: Here,
    *,
    resource: Annotated[str, typer.Option(help='Only this resource: "thread/<id>".')] = "",
    actor: Annotated[str, typer.Option(help="Only by this person, agent or service.")] = "",
    sphere: Annotated[str, typer.Option(help="Only in this sphere.")] = "",
    action: Annotated[str, typer.Option(help=f"Only these: {listed(AUDIT_ACTIONS)}.")] = "",
    run: Annotated[str, typer.Option(help="Only the records of this run (its whole id).")] = "",
    request: Annotated[str, typer.Option(help="Only the records of this request id.")] = "",
    crossed: Annotated[
        bool, typer.Option("--violations", help="Only what crossed a boundary.")
    ] = False,
    filter: FilterOption = "",  # noqa: A002 - the option's name
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 50,
    page: PageOption = "",
) -> None:
    """List records, the latest first. That you read them is recorded too.

    [bold]chenu audit list --action delete[/bold]
    [bold]chenu audit list --resource thread/0199… --output json[/bold]
    [bold]chenu audit list --filter 'time > 2026-11-01T00:00:00Z AND NOT actor:nova'[/bold]
    """
    answer = await here.connection.stub(EntryServiceStub).ListEntries(
        ListEntriesRequest(
            page_size=limit,
            page_token=page,
            resource=resource,
            actor=actor,
            sphere=sphere,
            action=number(AUDIT_ACTIONS, action, "--action"),  # type: ignore[arg-type]
            stream=f"run/{run}" if run else "",
            request_id=request,
            violations=crossed,
            filter=filter,
        )
    )
    here.show(answer, lambda found: entries_table(found.entries))
    if answer.next_page_token:
        here.tell(f"more with --page {answer.next_page_token}")


async def list_system(
    here: Here,
    *,
    filter: FilterOption = "",  # noqa: A002 - the option's name
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 50,
    page: PageOption = "",
) -> None:
    """List the records that belong to no tenant: calls without a valid token, services, alerts.

    For people whom CHENU_AUDIT_SYSTEM_AUDITORS names. That you read them is recorded.

    [bold]chenu audit system --filter 'outcome = UNAUTHENTICATED'[/bold]
    """
    answer = await here.connection.stub(EntryServiceStub).ListSystemEntries(
        ListSystemEntriesRequest(page_size=limit, page_token=page, filter=filter)
    )
    here.show(answer, lambda found: entries_table(found.entries))
    if answer.next_page_token:
        here.tell(f"more with --page {answer.next_page_token}")


async def proof(
    here: Here,
    index: Annotated[int, typer.Argument(min=0, help="The record's place in the log.")],
) -> int:
    """Show one record with the path that proves its place in the signed log, and check it here."""
    entry = (
        await here.connection.stub(EntryServiceStub).GetEntry(GetEntryRequest(index=index))
    ).entry
    log = here.connection.stub(LogServiceStub)
    head = await log.GetTreeHead(GetTreeHeadRequest())
    answer = await log.GetInclusionProof(GetInclusionProofRequest(index=index, tree_size=head.size))
    wrong = ""
    try:
        keys = split_keys(read_keys("", here.state.pinned_key)).log
        root = open_tree_head(head.tree_head, keys).root if keys else head.root
        check_inclusion(index, answer.tree_size, leaf_hash(entry.leaf), answer.path, root)
    except (ReceiptInvalid, Malformed) as error:
        wrong = str(error)
    if here.json:
        here.write(as_json(answer) | {"entry": as_json(entry), "wrong": wrong})
    here.tell(entry_view(entry))
    for sibling in answer.path:
        here.tell(f"  {sibling.hex()}")
    here.tell(f"✗ {wrong}" if wrong else f"✓ it is in the signed log of {answer.tree_size} records")
    return FAILED if wrong else OK


def entries_table(entries: Iterable[Entry]) -> RenderableType:
    """Records, one line each."""
    return table(
        ("no.", "when", "what", "subject", "by", "outcome", "reason"),
        (
            (
                one.index,
                when(one.event.time),
                one.event.type.removeprefix("chenu."),
                one_line(one.event.subject, 60),
                _actor(one),
                _outcome(one),
                safe(one.event.data.reason),
            )
            for one in entries
        ),
        empty="No records.",
    )


def entry_view(entry: Entry) -> RenderableType:
    """All of a record."""
    event, data = entry.event, entry.event.data
    details = ((name, safe(value)) for name, value in sorted(data.details.items()))
    return facts(
        (
            ("place in the log", entry.index),
            ("what", event.type),
            ("action", word(data, "action")),
            ("subject", safe(event.subject)),
            ("when", when(event.time)),
            ("by", _actor(entry)),
            ("method", data.method),
            ("outcome", _outcome(entry)),
            ("reason", data.reason),
            ("sphere", data.sphere),
            ("request", data.request_id),
            ("stream", f"{data.stream} @ {data.version}" if data.stream else ""),
            *details,
            *((name, safe(value)) for name, value in sorted(entry.personal.items())),
            ("of the person", word(entry, "personal_state")),
            ("leaf hash", entry.leaf_hash.hex()),
        )
    )


def _actor(entry: Entry) -> str:
    actor = entry.event.data.actor
    who = actor.agent or actor.person or actor.service
    through = f" via {actor.service}" if actor.service and who != actor.service else ""
    return f"{actor.kind} {who[-8:] if len(who) == 36 else who}{through}".strip()


def _outcome(entry: Entry) -> Text:
    outcome = entry.event.data.outcome
    words = f"{outcome} (violation)" if entry.violation else outcome
    return Text(words, style="" if outcome == "OK" else "red")


def register_commands(app: typer.Typer) -> None:
    """Add them to the application."""
    group = typer.Typer(no_args_is_help=True, help="What happened, and the proof of it.")
    command(group, "list")(list_entries)
    command(group, "verify")(verify)
    command(group, "proof")(proof)
    command(group, "alerts")(list_alerts)
    command(group, "close-alert")(close_alert)
    command(group, "system")(list_system)
    command(group, "export")(export)
    command(group, "key")(key)
    command(group, "rotate-key")(rotate_key)
    command(group, "watch")(watch)
    command(group, "stats")(statistics)
    command(group, "violations")(violations)
    command(group, "erase")(erase)
    command(group, "erasures")(list_erasures)
    command(group, "hold")(hold)
    command(group, "release")(release)
    command(group, "holds")(list_holds)
    app.add_typer(group, name="audit", rich_help_panel="Trusting")
