"""ExecutorService: the tool that sends."""

from typing import Any

from chenu.governance.v1 import executor_service_pb2 as rpc
from chenu.governance.v1.decision_pb2 import ExecutionState
from chenu.governance.v1.executor_service_pb2_grpc import ExecutorServiceServicer
from kernel.context import current
from services.courier import resources
from services.courier.execution import Executor
from services.courier.tools import TOOLS


class ExecutorServicer(ExecutorServiceServicer):
    """Does what governance permitted."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def ExecuteAction(
        self, request: rpc.ExecuteActionRequest, context: Any
    ) -> rpc.ExecuteActionResponse:
        answer = await self._executor.execute(current().caller, request.action, request.permit)
        return rpc.ExecuteActionResponse(
            decision_id=answer.decision_id,
            state=ExecutionState.EXECUTION_STATE_SUCCEEDED,
            result=resources.result_text(answer.result),
            repeated_answer=answer.repeated,
        )

    async def ListTools(self, request: rpc.ListToolsRequest, context: Any) -> rpc.ListToolsResponse:
        return rpc.ListToolsResponse(tools=[tool.message() for tool in TOOLS])
