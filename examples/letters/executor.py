"""An executor of your own in a process of its own: `chenu_gate`, and nothing else of CHE·NU.

    export DATABASE_URL=postgresql://… OUTBOX=/tmp/letters
    export PERMIT_KEYS_URL=http://localhost:8080/api/v2/governance/permit-keys
    python executor.py serve 127.0.0.1:50070
    python executor.py reconcile DECISION sent|not-sent

To report what became of its decisions, it needs to be registered (letters.pem is its key, and
letters.pub.pem lies in identity's keys folder), and

    export IDENTITY=localhost:50050 GOVERNANCE=localhost:50052 KEY=letters.pem

Then an unknown end is settled with `chenu reconcile` just as well, and recorded here too.

Its one tool prints a letter into a folder (OUTBOX), which no database can take back. So it commits
RUNNING, prints, and commits the end; a crash in between leaves an UNKNOWN letter, which is never
printed again until a person has looked into the folder and says what became of it.
"""

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import asyncpg
import grpc
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from chenu.governance.v1.executor_service_pb2 import ExecuteActionResponse, ListToolsResponse
from chenu.governance.v1.executor_service_pb2_grpc import (
    ExecutorServiceServicer,
    add_ExecutorServiceServicer_to_server,
)
from chenu.governance.v1.outcome_service_pb2_grpc import OutcomeServiceStub
from chenu_gate.action import Action, ActionKind
from chenu_gate.executor import (
    DecisionAlreadyExecuted,
    Executions,
    ExecutionState,
    OnAsyncpg,
    executions_table,
)
from chenu_gate.gatekeeper import (
    ActionRefused,
    Gatekeeper,
    PermitKeysUnavailable,
    PermitRefused,
    ToolRefused,
)
from chenu_gate.key_sets import keys_at
from chenu_gate.outcome_reporter import OutcomeReporter
from chenu_gate.service_token import ServiceToken, signing_key
from chenu_gate.tools import Tool, Toolbox

NAME = "letters"
RUNNING = timedelta(seconds=2)
PRINT = Tool.declare(
    name="letter.print",
    description="Prints a letter and puts it into the out tray.",
    input_schema={
        "type": "object",
        "properties": {
            "to": {"type": "string", "minLength": 1, "maxLength": 100},
            "text": {"type": "string", "minLength": 1, "maxLength": 10_000},
        },
        "required": ["to", "text"],
        "additionalProperties": False,
    },
    kind=ActionKind.SEND,
    executor=NAME,
)


class LettersExecutor(ExecutorServiceServicer):
    """Does what a permit permits, once."""

    def __init__(self, pool, keys_url, outbox):
        self._pool, self._outbox = pool, outbox
        self._gatekeeper = Gatekeeper(NAME, Toolbox([PRINT]), keys_at(keys_url))
        self._executions = Executions(NAME)

    async def ListTools(self, request, context):  # noqa: N802, ARG002 - as the contract has it
        return ListToolsResponse(tools=[PRINT.message()])

    async def ExecuteAction(self, request, context):  # noqa: N802 - likewise
        try:
            # Without tokens of its own: whoever holds the permit may ask, for its principal.
            asker = Action.parse(request.action).principal
            permitted = await self._gatekeeper.admit(request.permit, request.action, asker=asker)
            execution, repeated = await self._print(permitted), False
        except PermitRefused as refusal:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, refusal.reason)
        except (ActionRefused, ToolRefused) as refusal:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, refusal.reason)
        except PermitKeysUnavailable:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "PERMIT_KEYS")
        except DecisionAlreadyExecuted as used:
            if used.execution is None:
                await context.abort(grpc.StatusCode.PERMISSION_DENIED, used.reason)
            execution, repeated = used.execution, True
        if execution.state in (ExecutionState.UNKNOWN, ExecutionState.RUNNING):
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "OUTCOME_UNKNOWN")
        return ExecuteActionResponse(
            decision_id=execution.decision_id,
            state=f"EXECUTION_STATE_{execution.state}",
            result=json.dumps(execution.outcome),
            repeated_answer=repeated,
        )

    async def _print(self, permitted):
        decision, arguments = permitted.permit.decision, permitted.action.arguments
        async with self.work() as tx:
            await self._executions.begin_running(tx, permitted, RUNNING)
        page = f"To {arguments['to']}\n\n{arguments['text']}\n"
        (self._outbox / f"{decision}.txt").write_text(page, encoding="utf-8")
        if os.environ.get("CRASH_AFTER_PRINTING"):
            os._exit(1)
        async with self.work() as tx:
            return await self._executions.finish(
                tx, decision, ExecutionState.SUCCEEDED, reason="OK", outcome={"pages": 1}
            )

    @asynccontextmanager
    async def work(self):
        """A transaction that sees every row of this executor."""
        async with self._pool.acquire() as connection, connection.transaction():
            yield OnAsyncpg(connection)

    async def report(self):
        """Tell governance what became of its decisions, and hear what people have settled."""
        async with (
            grpc.aio.insecure_channel(os.environ["IDENTITY"]) as identity,
            grpc.aio.insecure_channel(
                os.environ["GOVERNANCE"],
                interceptors=[ServiceToken(NAME, signing_key(Path(os.environ["KEY"])), identity)],
            ) as governance,
        ):
            stub = OutcomeServiceStub(governance)
            await OutcomeReporter(self._executions, self.work, stub).run()

    async def sweep(self):
        """What crashed while it printed becomes UNKNOWN: nobody prints it again blindly."""
        while True:
            async with self.work() as tx:
                await self._executions.overdue(tx)
            await asyncio.sleep(0.2)


async def prepare(pool):
    """The table of the fence, in a schema of the executor's own."""
    table = executions_table(sa.MetaData(schema=NAME))
    create = sa.schema.CreateTable(table, if_not_exists=True)
    await pool.execute(f"CREATE SCHEMA IF NOT EXISTS {NAME}")
    await pool.execute(str(create.compile(dialect=postgresql.dialect())))


async def serve(address):
    """Execute until stopped; port 0 takes a free one, and says which."""
    outbox = Path(os.environ["OUTBOX"])
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=0) as pool:
        await prepare(pool)
        executor = LettersExecutor(pool, os.environ["PERMIT_KEYS_URL"], outbox)
        server = grpc.aio.server()
        add_ExecutorServiceServicer_to_server(executor, server)
        port = server.add_insecure_port(address)
        await server.start()
        print(f"letters on port {port}", flush=True)
        reporting = [executor.report()] if "GOVERNANCE" in os.environ else []
        await asyncio.gather(executor.sweep(), *reporting)


async def reconcile(decision, found):
    """A person has looked: what is UNKNOWN becomes known, and can never be taken back."""
    state = {"sent": ExecutionState.SUCCEEDED, "not-sent": ExecutionState.FAILED}[found]
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    async with connection.transaction():
        execution = await Executions(NAME).finish(
            OnAsyncpg(connection), decision, state, reason="RECONCILED"
        )
    await connection.close()
    print(f"{decision} is {execution.state}")


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    asyncio.run({"serve": serve, "reconcile": reconcile}[command](*arguments))
