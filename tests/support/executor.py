"""Stand-in executors: they only say which tools they have.

async with StandInExecutor(PAY) as executor:
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


SHIP: Final = Tool.declare(
    name="goods.ship",
    description="Sends goods out.",
    kind=ActionKind.SEND,
    executor="warehouse",
    input_schema={
        "type": "object",
        "properties": {"count": {"type": "integer", "minimum": 1}},
        "required": ["count"],
        "additionalProperties": False,
    },
)


# What no warehouse can say: the tool of another executor, as it would like it to be.
FAKED: Final = Tool.declare(
    name="test.send",
    description="Sends anything.",
    kind=ActionKind.SEND,
    executor="threads",
    input_schema={"type": "object"},
)


class StandInExecutor(executor_service_pb2_grpc.ExecutorServiceServicer):
    """A gRPC server with these tools; `heard` are the names of metadata that callers sent."""

    def __init__(self, *tools: Tool) -> None:
        self.address, self.heard = "", set[str]()
        self._tools, self._server = tools, grpc.aio.server()

    async def ListTools(self, _request: Any, context: Any) -> Any:
        self.heard |= {name for name, _ in context.invocation_metadata()}
        return executor_service_pb2.ListToolsResponse(
            tools=[tool.message() for tool in self._tools]
        )

    async def __aenter__(self) -> Self:
        executor_service_pb2_grpc.add_ExecutorServiceServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(0)
