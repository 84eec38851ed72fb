"""`chenu audit key|rotate-key`: who signs the log."""

from typing import Annotated

import typer

from chenu.audit.v1.log_service_pb2 import GetLogKeyRequest
from chenu.audit.v1.log_service_pb2_grpc import LogServiceStub
from cli.here import Here
from cli.problems import Problem


async def key(here: Here) -> None:
    """Print the log's verifier key. Compare it with what you were told by another way; pin it.

    [bold]chenu audit key > log.vkey[/bold]
    """
    stub = here.connection.stub(LogServiceStub, token="")
    here.show(await stub.GetLogKey(GetLogKeyRequest()), lambda answer: answer.verifier_key)


def rotate_key(
    here: Here,
    retire: Annotated[
        bool, typer.Option("--retire", help="End the old keys, once the new one is in use.")
    ] = False,
) -> None:
    """Make the log's next key, which the present one names; both sign until --retire.

    For the stack in the state folder, on the machine that it runs on. It takes effect when the
    audit service is started again: chenu down, chenu up. Who pinned the old key can follow.
    """
    from kernel.settings import SettingsError  # noqa: PLC0415 - not to slow other commands
    from services.audit.keys import retire as end  # noqa: PLC0415 - likewise
    from services.audit.keys import succeed  # noqa: PLC0415 - likewise
    from services.audit.settings import AuditSettings  # noqa: PLC0415 - likewise

    keys = here.state.folder / "keys"
    if not (keys / "log.pem").exists():
        raise Problem(f"there is no log key in {keys}", next_step="name a stack with --state DIR")
    if retire:
        ended = end(keys / "log.pem")
        here.tell(f"deleted: {', '.join(ended)}" if ended else "there was no old key")
        return
    origin = AuditSettings.model_fields["origin"].default
    try:
        made = succeed(keys / "log.pem", keys / "log.vkey", origin)
    except SettingsError as error:
        raise Problem(str(error), next_step="put its key back from a backup") from None
    here.tell(f"{made.verifier_key}\nnext: chenu down, then chenu up")
