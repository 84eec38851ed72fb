"""A stand-in executor: it only says which tools it has.

async with StandInExecutor() as executor:
    shared_settings(keys, nats_url, identity, threads=executor.address)
"""

from typing import Any, Final, Self

import grpc

from chenu.governance.v1 import executor_service_pb2, executor_service_pb2_grpc
from chenu_gate.action import ActionKind
from chenu_gate.tools import TargetArgument, Tool

PAY: Final = Tool.declare(
    name="test.pay",
    description="Pays somebody.",
    kind=ActionKind.PAYMENT,
    executor="threads",
    input_schema={
        "type": "object",
        "properties": {
            "account": {"type": "string"},
            "amount": {"type": "integer", "minimum": 1},
            "note": {"type": "string"},
            "express": {"type": "boolean"},
        },
        "required": ["account", "amount"],
        "additionalProperties": False,
    },
    target_arguments=(TargetArgument("account", "account"),),
)


class StandInExecutor(executor_service_pb2_grpc.ExecutorServiceServicer):
    """A gRPC server with one tool, `PAY`."""

    def __init__(self) -> None:
        self.address = ""
        self._server = grpc.aio.server()

    async def ListTools(self, _request: Any, _context: Any) -> Any:
        return executor_service_pb2.ListToolsResponse(tools=[PAY.message()])

    async def __aenter__(self) -> Self:
        executor_service_pb2_grpc.add_ExecutorServiceServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(0)
