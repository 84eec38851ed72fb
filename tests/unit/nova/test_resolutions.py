"""A resolution is governance's to keep until its run has seen it."""

from collections.abc import Sequence
from typing import Any

import pytest

from chenu.governance.v1.resolution_service_pb2 import ListResolutionsResponse, Resolution
from chenu.nova.v1.run_pb2 import RunState
from services.nova.record import ENDED
from services.nova.resolutions import Resolutions

ON_ITS_WAY = sorted(set(RunState.values()) - ENDED - {RunState.RUN_STATE_UNSPECIFIED})


class Governance:
    """Has resolutions, and hears what is acknowledged."""

    def __init__(self, *resolutions: Resolution) -> None:
        self.resolutions = resolutions
        self.acknowledged: list[str] = []

    def channel(self, _: str) -> "Governance":
        return self

    def unary_unary(self, path: str, **_: Any) -> Any:
        async def call(request: Any, **_: Any) -> Any:
            if path.endswith("/AcknowledgeResolutions"):
                self.acknowledged += request.resolution_ids
                return None
            return ListResolutionsResponse(resolutions=self.resolutions)

        return call


class Runs:
    """The run as engine and leases see it; it takes up its work where it waits for a person."""

    def __init__(self, state: RunState | None, *, resumes: bool) -> None:
        self._state, self._resumes = state, resumes

    async def resume(self, _: str) -> bool:
        resumes, self._resumes = self._resumes, False
        return resumes

    async def states(self, run_ids: Sequence[str]) -> dict[str, RunState]:
        return {} if self._state is None else dict.fromkeys(run_ids, self._state)


async def acknowledged(state: RunState | None, *, resumes: bool = False, run: str = "run") -> bool:
    """Whether a sweep acknowledges the resolution of a run that stands so."""
    governance: Any = Governance(Resolution(resolution_id="one", run_id=run))
    runs: Any = Runs(state, resumes=resumes)
    await Resolutions(governance, runs, runs).sweep()
    assert governance.acknowledged in ([], ["one"])
    return bool(governance.acknowledged)


@pytest.mark.parametrize("state", ON_ITS_WAY, ids=RunState.Name)
async def test_what_a_run_on_its_way_to_blocking_has_not_seen_is_kept(state: RunState) -> None:
    # It may have asked governance just before the person decided, and is about to wait for that.
    assert not await acknowledged(state)


async def test_what_a_run_resumed_for_is_acknowledged() -> None:
    assert await acknowledged(RunState.RUN_STATE_BLOCKED, resumes=True)


async def test_a_run_is_resumed_once_for_all_that_was_decided_of_it() -> None:
    governance: Any = Governance(*(Resolution(resolution_id=n, run_id="run") for n in "12"))
    runs: Any = Runs(RunState.RUN_STATE_BLOCKED, resumes=True)
    await Resolutions(governance, runs, runs).sweep()
    assert governance.acknowledged == ["1", "2"]


@pytest.mark.parametrize("state", sorted(ENDED), ids=RunState.Name)
async def test_what_comes_after_the_end_is_acknowledged(state: RunState) -> None:
    assert await acknowledged(state)


async def test_what_belongs_to_no_run_of_novas_is_acknowledged() -> None:
    assert await acknowledged(None)
    assert await acknowledged(None, run="")
