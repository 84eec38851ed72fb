"""The tools that the executors offer, as they define them."""

from collections.abc import Sequence
from typing import Final

import grpc
import structlog

from chenu.governance.v1.executor_service_pb2 import ListToolsRequest
from chenu.governance.v1.executor_service_pb2_grpc import ExecutorServiceStub
from chenu.llm.v1.completion_pb2 import Tool as ModelTool
from chenu_gate.tools import Tool
from kernel.channels import Channels, alone

EXECUTORS: Final = ("threads", "courier")
_log = structlog.get_logger(component="catalogue")


class Catalogue:
    """All tools by name. On the model's wire a tool's dot is an underscore."""

    def __init__(self, channels: Channels) -> None:
        self.executors = {name: ExecutorServiceStub(channels.channel(name)) for name in EXECUTORS}
        self._tools: dict[str, Tool] = {}
        self.for_model: Sequence[ModelTool] = ()
        """The tools as a model is offered them."""

    async def refresh(self) -> None:
        """Ask every executor for its tools; what is known of one that is not there stays."""
        for name, stub in self.executors.items():
            try:
                with alone():
                    answer = await stub.ListTools(ListToolsRequest(), timeout=10.0)
            except grpc.aio.AioRpcError as error:
                _log.warning("executor not heard", executor=name, code=error.code().name)
                continue
            for definition in answer.tools:
                self._tools[definition.name] = Tool.from_definition(definition)
        self.for_model = [
            ModelTool(
                name=_wire_name(tool),
                description=tool.description,
                input_schema=tool.input_schema,
            )
            for tool in self._tools.values()
        ]

    @property
    def complete(self) -> bool:
        """Whether every executor has been heard."""
        return {tool.executor for tool in self._tools.values()} == set(EXECUTORS)

    def find(self, wire_name: str) -> Tool | None:
        """The tool that a model calls by this name."""
        tool = self._tools.get(wire_name.replace("_", ".", 1))
        return tool if tool is not None and _wire_name(tool) == wire_name else None


def _wire_name(tool: Tool) -> str:
    return tool.name.replace(".", "_")
