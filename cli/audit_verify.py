"""`chenu audit verify|export`: the log, or what was taken out of it, checked on one's own."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from chenu.audit.v1.export_service_pb2 import ExportEntriesRequest
from chenu.audit.v1.export_service_pb2_grpc import ExportServiceStub
from cli.audit_reading import FilterOption
from cli.here import Here, speaking
from cli.problems import OK, Problem
from cli.rendering import facts, safe
from cli.verification.address import is_address, same_server, verify_address
from cli.verification.export import verify_export
from cli.verification.folder import verify_folder
from cli.verification.keys import Keys, read_keys, split_keys
from cli.verification.live import verify_log
from cli.verification.verdict import MALFORMED, Malformed, Progress, Trust, Verdict
from cli.words import AUDIT_ACTIONS, EXPORT_FORMATS, listed, number

_HEADLINES: Final = {
    Trust.PINNED: ("VERIFIED by the key that was pinned beforehand", "bold green"),
    Trust.EMBEDDED: (
        "CONSISTENT, but not verified: no key was pinned, the log vouches for itself",
        "bold yellow",
    ),
    Trust.NONE: (
        "CONSISTENT, but not verified: there is no key, and no signature was checked",
        "bold yellow",
    ),
}

_TAMPERED: Final = "TAMPERED: this is not what the log's key signed"
_WRONG: Final = {"evidence": "NOT PROVED: this is the first thing that is wrong"}


async def verify(
    here: Here,
    target: Annotated[
        str,
        typer.Argument(
            help="An export, or tiles: a folder or an address. The running log where not given.",
        ),
    ] = "",
    key: Annotated[
        str,
        typer.Option(
            metavar="FILE|KEY",
            help="The log's verifier key, or a file of keys, those of witnesses among them.",
        ),
    ] = "",
) -> int:
    """Check the log yourself, by the key that was pinned when the stack was made.

    A file or a folder needs no service, no network and no database. Tiles over HTTP are read with
    the token of who is logged in where they are this stack's own, else without any.

    Exit codes: 0 verified by a key that was pinned beforehand · 1 tampering · 2 nothing that can
    be checked · 3 consistent, by the key that came with it · 4 consistent, without any key ·
    5 verified, but incomplete: a version of a stream is missing, or an intent has no outcome.

    [bold]chenu audit verify[/bold]
    [bold]chenu audit verify export.jsonl --key log.vkey[/bold]
    [bold]chenu audit verify http://127.0.0.1:8080/api/v2/audit/log[/bold]
    """
    try:
        with _progress(here) as tell:
            keys = split_keys(read_keys(key, here.state.pinned_key))
            if not target:
                remembered = here.state.verified_head
                verdict = await verify_log(here.connection, keys, remembered, tell)
            elif is_address(target):
                verdict = verify_address(target, await _token(here, target), keys, tell)
            else:
                verdict = _offline(Path(target), keys, tell)
    except Malformed as error:
        raise Problem(str(error), reason="MALFORMED", exit_code=MALFORMED) from None
    if here.json:
        here.write(verdict.document())
    here.tell(verification_view(verdict))
    return verdict.exit_code


async def export(
    here: Here,
    *,
    form: Annotated[
        str, typer.Option("--format", help=f"One of: {listed(EXPORT_FORMATS)}.")
    ] = "jsonl",
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to; - for standard output.")],
    resource: Annotated[str, typer.Option(help='Only this resource: "thread/<id>".')] = "",
    actor: Annotated[str, typer.Option(help="Only by this person, agent or service.")] = "",
    sphere: Annotated[str, typer.Option(help="Only in this sphere.")] = "",
    action: Annotated[str, typer.Option(help=f"Only these: {listed(AUDIT_ACTIONS)}.")] = "",
    run: Annotated[str, typer.Option(help="Only the records of this run (its whole id).")] = "",
    request: Annotated[str, typer.Option(help="Only the records of this request id.")] = "",
    violations: Annotated[
        bool, typer.Option("--violations", help="Only what crossed a boundary.")
    ] = False,
    filter: FilterOption = "",  # noqa: A002 - the option's name
    open_sealed: Annotated[
        bool, typer.Option("--open-sealed", help="Also what records say of people; for auditors.")
    ] = False,
) -> int:
    """Write records into a file, with a signed manifest and what proves them. It is recorded.

    Without a filter the file recomputes the whole log; with one, each record has its own proof.

    [bold]chenu audit export --out all.jsonl[/bold]
    [bold]chenu audit export --format csv --action delete --out deleted.csv[/bold]
    """
    wanted = ExportEntriesRequest(
        format=number(EXPORT_FORMATS, form, "--format"),  # type: ignore[arg-type]
        resource=resource,
        actor=actor,
        sphere=sphere,
        action=number(AUDIT_ACTIONS, action, "--action"),  # type: ignore[arg-type]
        stream=f"run/{run}" if run else "",
        request_id=request,
        violations=violations,
        filter=filter,
        open_sealed=open_sealed,
    )
    with _progress(here) as tell, _written(out) as file:
        count = await _fill(here, wanted, file.write, tell)
    if str(out) == "-":
        return OK
    if here.json:
        here.write({"file": str(out), "format": form, "records": str(count)})
    else:
        here.tell(f"{count} records in {out}")
        if form in ("jsonl", "cloudevents"):
            here.tell(f"check it with: chenu audit verify {out}")
    return OK


def verification_view(verdict: Verdict) -> RenderableType:
    """The headline first, then what it rests on."""
    words, style = _HEADLINES[verdict.trust]
    if verdict.problems:
        words, style = _WRONG.get(verdict.what, _TAMPERED), "bold red"
    elif verdict.warnings:
        words, style = f"{words}; INCOMPLETE: something was never told to it", "bold yellow"
    return Group(
        Text(words, style=style),
        *(Text(f"✗ {safe(problem)}", style="red") for problem in verdict.problems),
        *(Text(f"! {safe(warning)}", style="yellow") for warning in verdict.warnings),
        facts(
            (
                ("records in the log", verdict.size),
                ("leaf hashes checked", verdict.hashes),
                ("records hashed again", verdict.records),
                ("root", verdict.root.hex()),
                ("key", safe(verdict.key)),
                *(("cosigned by", safe(witness)) for witness in verdict.witnesses),
                *(("note", safe(note)) for note in verdict.notes),
            )
        ),
    )


@contextmanager
def _written(out: Path) -> Iterator[BinaryIO]:
    """Where to write; the file takes the place of an earlier one once it is whole."""
    if str(out) == "-":
        with speaking():
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        return
    if out.exists() and not out.is_file():
        with out.open("wb") as file:  # a pipe or a device, whose place no file may take
            yield file
        return
    out = out.resolve()  # what a link points to, not the link
    part = out.with_name(f"{out.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


async def _fill(
    here: Here, wanted: ExportEntriesRequest, write: Callable[[bytes], int], tell: Progress
) -> int:
    exported = 0
    async for piece in here.connection.stub(ExportServiceStub).ExportEntries(wanted):
        write(piece.data)
        exported = piece.exported_size
        tell("records", exported, piece.total_size)
    return exported


async def _token(here: Here, address: str) -> str:
    """The session's token for this stack's own gateway; nobody else is shown it."""
    try:
        own = here.state.address("gateway")
    except Problem:
        return ""
    if not same_server(address, own):
        return ""
    return await here.connection.credentials.access_token()


def _offline(target: Path, keys: Keys, tell: Progress) -> Verdict:
    try:
        if target.is_dir():
            return verify_folder(target, keys, tell)
        return verify_export(target, keys, tell)
    except OSError as error:
        raise Malformed(f"{target} cannot be read: {error.strerror or error}") from None


@contextmanager
def _progress(here: Here) -> Iterator[Progress]:
    """How far a long check is, where somebody watches."""
    if here.json or not here.errors.is_terminal:
        yield lambda *_: None
        return
    with here.errors.status("beginning …") as told:
        yield lambda what, count, total: told.update(f"{what}: {count} of {total or count}")
