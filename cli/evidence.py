"""`chenu evidence`: the proof of one action in one file, for people who have nothing else."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from chenu.governance.v1.evidence_service_pb2 import ExportEvidenceRequest
from chenu.governance.v1.evidence_service_pb2_grpc import EvidenceServiceStub
from cli.audit_verify import verification_view
from cli.checkpoint_lookup import checkpoint_id
from cli.command import command
from cli.connection import Connection
from cli.here import Here
from cli.problems import OK, Problem
from cli.run_lookup import run_id
from cli.verification.evidence import verify_evidence
from cli.verification.keys import read_keys, split_keys
from cli.verification.verdict import MALFORMED, Malformed


async def export(
    here: Here,
    checkpoint: Annotated[
        str, typer.Argument(help="The checkpoint: its id or the end of it.")
    ] = "",
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to.")],
    decision: Annotated[str, typer.Option(help="A decision instead (its whole id).")] = "",
    run: Annotated[str, typer.Option(help="Everything that a run asked for instead.")] = "",
    whole: Annotated[
        bool, typer.Option("--whole", help="With what people wrote: actions, views, comments.")
    ] = False,
) -> int:
    """Write the evidence of an action into a file. It is recorded that you did.

    [bold]chenu evidence export 4f2a91c0 --out deletion.evidence[/bold]
    [bold]chenu evidence export --run 0199… --whole --out run.evidence[/bold]
    """
    if sum(map(bool, (checkpoint, decision, run))) != 1:
        raise Problem("name a checkpoint, or --decision, or --run", reason="ONE_SUBJECT")
    wanted = ExportEvidenceRequest(whole=whole)
    if checkpoint:
        wanted.checkpoint_id = await checkpoint_id(here.connection, checkpoint)
    elif decision:
        wanted.decision_id = decision
    else:
        wanted.run_id = await run_id(here.connection, run)
    file = await fetch_evidence(here.connection, wanted)
    out.write_bytes(file)
    if here.json:
        here.write({"file": str(out), "bytes": str(len(file)), "whole": whole})
    else:
        here.tell(f"{len(file)} bytes in {out}")
        here.tell(f"check it with: chenu evidence verify {out}")
    return OK


async def verify(
    here: Here,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The evidence.")],
    key: Annotated[
        str,
        typer.Option(
            metavar="FILE|KEY",
            help="The log's verifier key, or a file of keys, those of witnesses among them.",
        ),
    ] = "",
    jwks: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="A JWKS that permits and vote tokens must be signed by; several together.",
        ),
    ] = None,
) -> int:
    """Check evidence yourself: with no service, no network, no database.

    Every digest, vote, signature and proof in it is checked again, and the votes are counted
    again; the first thing that is wrong is named.

    Exit codes: 0 proved by a key that was pinned beforehand · 1 something is wrong · 2 no evidence
    · 3 consistent, by the log's key that came with it · 4 consistent, without any key.

    [bold]chenu evidence verify deletion.evidence[/bold]
    [bold]chenu evidence verify deletion.evidence --key log.vkey --jwks permit-keys.json[/bold]
    """
    try:
        keys = split_keys(read_keys(key, here.state.pinned_key))
        pinned = [one for path in jwks or () for one in _keys_in(path)]
        verdict = verify_evidence(file, keys, pinned, lambda *_: None)
    except Malformed as error:
        raise Problem(str(error), reason="MALFORMED", exit_code=MALFORMED) from None
    if here.json:
        here.write(verdict.document())
    here.tell(verification_view(verdict))
    return verdict.exit_code


async def fetch_evidence(connection: Connection, wanted: ExportEvidenceRequest) -> bytes:
    """The file, whole."""
    pieces = connection.stub(EvidenceServiceStub).ExportEvidence(wanted)
    return b"".join([piece.data async for piece in pieces])


def _keys_in(path: Path) -> list[dict[str, Any]]:
    try:
        keys = [{**one, "kid": str(one["kid"])} for one in json.loads(path.read_text())["keys"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise Malformed(f"{path} holds no JWKS") from None
    return keys


def register_commands(app: typer.Typer) -> None:
    """Add them to the application."""
    group = typer.Typer(no_args_is_help=True, help="The proof of one action, in one file.")
    command(group, "export")(export)
    command(group, "verify")(verify)
    app.add_typer(group, name="evidence", rich_help_panel="Trusting")
