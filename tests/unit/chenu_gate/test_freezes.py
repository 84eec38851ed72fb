"""Which permits a freeze voids, and how an executor comes to know of it."""

import asyncio
from collections.abc import Callable

import pytest

from chenu.governance.v1.freeze_service_pb2 import FreezeInForce, GetFreezeStateResponse
from chenu_gate.freezes import Freeze, FreezeWatch
from chenu_gate.permit import PermitFrozen, mint
from tests.support.waiting import PATIENCE
from tests.unit.chenu_gate.test_permit import ACTION, KEY, TENANT, TOKEN, a_permit, checked


@pytest.mark.parametrize(
    ("scope", "value", "tenant"),
    [
        ("tenant", "", TENANT),
        ("agent", ACTION.principal.agent, TENANT),
        ("tool", ACTION.tool.name, TENANT),
        ("kind", ACTION.kind.value, TENANT),
        ("all", "", ""),
        ("a scope of later", "anything", TENANT),
    ],
)
def test_a_freeze_voids_the_permits_minted_before_it(scope: str, value: str, tenant: str) -> None:
    freeze = Freeze(scope, value, tenant, 4)

    with pytest.raises(PermitFrozen):
        checked(TOKEN, freezes=[freeze])
    assert checked(mint(a_permit(freeze_epoch=4), KEY, "k1"), freezes=[freeze])


@pytest.mark.parametrize(
    ("scope", "value", "tenant"),
    [
        ("tenant", "", "another-tenant"),
        ("agent", "another-agent", TENANT),
        ("agent", ACTION.principal.agent, "another-tenant"),
        ("tool", "another.tool", TENANT),
        ("kind", "send", TENANT),
    ],
)
def test_a_freeze_of_something_else_voids_nothing(scope: str, value: str, tenant: str) -> None:
    assert checked(TOKEN, freezes=[Freeze(scope, value, tenant, 4)])


class Gate:
    """What is told of freezes."""

    freezes: tuple[Freeze, ...] = ()


async def heard(gate: Gate, known: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not known():  # noqa: ASYNC110 - the watch polls, too
            await asyncio.sleep(0.001)


async def test_a_watch_keeps_what_it_heard_while_governance_is_away() -> None:
    answers: list[GetFreezeStateResponse | Exception] = [
        GetFreezeStateResponse(
            freezes=[
                FreezeInForce(scope="FREEZE_SCOPE_KIND", value="send", tenant_id=TENANT, epoch=4)
            ]
        ),
        ConnectionError(),
        ConnectionError(),
    ]
    gate, asked = Gate(), 0

    async def fetch() -> GetFreezeStateResponse:
        nonlocal asked
        asked += 1
        answer = answers[min(asked, len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    task = asyncio.create_task(FreezeWatch(gate, fetch, poll_seconds=0).run())
    await heard(gate, lambda: asked > 3)
    task.cancel()

    assert gate.freezes == (Freeze("kind", "send", TENANT, 4),)
