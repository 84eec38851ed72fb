"""Freezes, rejections that hold, grants, in whatever order: what stands says what comes out."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chenu.governance.v1.authorization_service_pb2 import VerdictState
from chenu.governance.v1.grant_service_pb2 import RevokeGrantRequest
from chenu.governance.v1.tombstone_service_pb2 import LiftTombstoneRequest
from chenu_gate.action import Tool
from tests.integration.governance.test_grants import TOOL, granted, report
from tests.support.actions import DEFINITION
from tests.support.governance_client import GovernanceClient
from tests.support.identity import Person

OTHER: Final = "report.publish"
FREEZES: Final[Mapping[str, tuple[str, str]]] = {
    "freeze the tool": ("TOOL", TOOL),
    "freeze the kind": ("KIND", "create"),
    "freeze all of it": ("TENANT", ""),
}
WITHIN, BEYOND = 5, 20
actions = st.tuples(st.sampled_from([TOOL, OTHER]), st.sampled_from([WITHIN, BEYOND]))
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["ask", "ask and reject"]), actions),
        st.tuples(st.sampled_from(["lift", "revoke", *FREEZES]), st.none()),
    ),
    max_size=7,
)


class World:
    """A person, what stands for or against what they ask for, and what must therefore come out."""

    def __init__(self, client: GovernanceClient, uses: int) -> None:
        self.client, self.person, self.uses = client, Person(), uses
        self.grant = ""
        self.rejected: dict[tuple[str, int], str] = {}
        self.frozen: set[str] = set()

    def expected(self, tool: str, pages: int) -> tuple[str, str]:
        """The verdict's state, and how its reason begins."""
        if self.frozen - {"freeze the tool"} or (self.frozen and tool == TOOL):
            return "DENIED", "FROZEN"
        if (tool, pages) in self.rejected:
            return "DENIED", "REJECTED_BEFORE"
        if (tool, pages) == (TOOL, WITHIN) and self.uses > 0:
            return "PERMITTED", ""
        return "BLOCKED", ""

    async def step(self, what: str, about: Any) -> None:
        if what in FREEZES:
            await self.client.freeze(self.person, *FREEZES[what])
            self.frozen.add(what)
        elif what == "revoke":
            await self._revoke()
        elif what == "lift":
            await self._lift()
        else:
            await self._ask(*about, rejects=what == "ask and reject")

    async def _ask(self, tool: str, pages: int, *, rejects: bool) -> None:
        action = report(
            self.person,
            tool=Tool(tool, DEFINITION),
            arguments={"pages": pages},
            run=str(uuid4()),
        )
        state, reason = self.expected(tool, pages)
        (verdict,) = await self.client.ask(self.person, action)
        assert VerdictState.Name(verdict.state) == f"VERDICT_STATE_{state}"
        assert verdict.reason.startswith(reason)
        assert bool(verdict.permit) is (state == "PERMITTED")
        self.uses -= state == "PERMITTED"
        if rejects and state == "BLOCKED":
            await self.client.reject(self.person, verdict.checkpoint)
            self.rejected[(tool, pages)] = verdict.checkpoint.checkpoint_id

    async def _revoke(self) -> None:
        if self.grant:
            await self.client.grants.RevokeGrant(
                RevokeGrantRequest(grant_id=self.grant),
                metadata=self.client.identity.as_human(self.person),
            )
            self.uses = 0

    async def _lift(self) -> None:
        if self.rejected:
            like = next(iter(self.rejected))
            await self.client.tombstones.LiftTombstone(
                LiftTombstoneRequest(checkpoint_id=self.rejected.pop(like)),
                metadata=self.client.identity.as_human(self.person),
            )


@settings(
    max_examples=8, deadline=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(uses=st.integers(0, 2), taken=steps)
@example(
    uses=2,
    taken=[
        ("ask", (TOOL, WITHIN)), ("ask and reject", (TOOL, BEYOND)), ("ask", (TOOL, BEYOND)),
        ("lift", None), ("ask", (TOOL, BEYOND)), ("ask", (TOOL, WITHIN)), ("ask", (TOOL, WITHIN)),
        ("freeze the tool", None), ("ask", (TOOL, WITHIN)), ("ask", (OTHER, WITHIN)),
    ],
)  # fmt: skip
async def test_what_stands_decides_whatever_the_order_in_which_it_came(
    client: GovernanceClient, uses: int, taken: list[tuple[str, Any]]
) -> None:
    world = World(client, uses)
    if uses:
        world.grant = (await granted(client, world.person, uses=uses)).grant_id
    for what, about in taken:
        await world.step(what, about)
