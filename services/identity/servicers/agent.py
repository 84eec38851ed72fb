"""AgentService on the wire."""

from chenu.identity.v1.agent_service_pb2 import (
    FireAgentRequest,
    FireAgentResponse,
    HireAgentRequest,
    HireAgentResponse,
    ListAgentsRequest,
    ListAgentsResponse,
    UpdateAgentRequest,
    UpdateAgentResponse,
)
from chenu.identity.v1.agent_service_pb2_grpc import AgentServiceServicer
from kernel.context import current
from services.identity.agents import Agents


class AgentServicer(AgentServiceServicer):
    """Agents' accounts."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    async def HireAgent(self, request: HireAgentRequest, _context: object) -> HireAgentResponse:
        return await self._agents.hire(current().caller, request)

    async def UpdateAgent(
        self, request: UpdateAgentRequest, _context: object
    ) -> UpdateAgentResponse:
        return UpdateAgentResponse(agent=await self._agents.update(current().caller, request))

    async def FireAgent(self, request: FireAgentRequest, _context: object) -> FireAgentResponse:
        return FireAgentResponse(agent=await self._agents.fire(current().caller, request.agent_id))

    async def ListAgents(self, request: ListAgentsRequest, _context: object) -> ListAgentsResponse:
        return await self._agents.list(current().caller, request)
