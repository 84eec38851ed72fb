"""How a run learns that its checkpoint was decided: a wake-up, or the sweep that misses none."""

from typing import Final

import structlog

from chenu.governance.v1.resolution_service_pb2 import (
    AcknowledgeResolutionsRequest,
    ListResolutionsRequest,
    WakeUp,
)
from chenu.governance.v1.resolution_service_pb2_grpc import ResolutionServiceStub
from chenu.nova.v1.run_pb2 import RunState
from kernel.channels import Channels, alone
from kernel.context import background
from services.nova.engine import Engine
from services.nova.leases import Leases
from services.nova.record import ENDED

SUBJECT: Final = "nova.resolutions"
_log = structlog.get_logger(component="resolutions")


class Resolutions:
    """Resumes runs whose checkpoints were decided."""

    def __init__(self, channels: Channels, engine: Engine, leases: Leases) -> None:
        self._governance = ResolutionServiceStub(channels.channel("governance"))
        self._engine, self._leases = engine, leases

    async def wake(self, data: bytes) -> None:
        """A wake-up for one run; harmless when it comes early, late or twice."""
        with background("nova.wake"):
            wake_up = WakeUp.FromString(data)
            verdict = wake_up.verdict if wake_up.HasField("verdict") else None
            self._engine.resume(wake_up.run_id, verdict)  # the next wake-up need not wait for it

    async def sweep(self) -> None:
        """Resume what lost wake-ups missed; acknowledge what its run has taken note of."""
        with alone():
            answer = await self._governance.ListResolutions(
                ListResolutionsRequest(page_size=200), timeout=10.0
            )
        states = await self._leases.states([r.run_id for r in answer.resolutions if r.run_id])
        # Once a run: it takes note of all of its checkpoints at a time.
        runs = {r.run_id: states.get(r.run_id) for r in answer.resolutions}
        seen = {run_id for run_id, state in runs.items() if await self._noted(run_id, state)}
        noted = [r.resolution_id for r in answer.resolutions if r.run_id in seen]
        if noted:
            with alone():
                await self._governance.AcknowledgeResolutions(
                    AcknowledgeResolutionsRequest(resolution_ids=noted), timeout=10.0
                )

    async def _noted(self, run_id: str, state: RunState | None) -> bool:
        """Whether the run needs its resolution no more; one that is on its way to blocking does."""
        if state == RunState.RUN_STATE_BLOCKED:
            return await self._engine.resume(run_id)
        return state is None or state in ENDED
