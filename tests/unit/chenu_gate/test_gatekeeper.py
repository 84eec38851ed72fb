from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from chenu_gate import keyring as module
from chenu_gate.action import Action, ActionKind, Target
from chenu_gate.freezes import Freeze
from chenu_gate.gatekeeper import Gatekeeper, PermitKeysUnavailable
from chenu_gate.permit import (
    Permit,
    PermitExpired,
    PermitForAnotherIdentity,
    PermitForged,
    PermitFrozen,
    mint,
)
from chenu_gate.tools import TargetArgument, Tool, Toolbox, ToolMisused
from tests.support.actions import an_action

TOOL = Tool.declare(
    name="thread.delete",
    description="Deletes.",
    input_schema={"type": "object"},
    kind=ActionKind.DELETE,
    executor="threads",
    target_arguments=(TargetArgument("thread", "thread"),),
)
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Governance:
    """A key that permits are signed with, and the set that is published."""

    def __init__(self) -> None:
        self.rotate()
        self.asked = 0
        self.away = False

    def rotate(self) -> None:
        self.key, self.kid = Ed25519PrivateKey.generate(), str(uuid4())

    async def key_set(self) -> str:
        self.asked += 1
        if self.away:
            raise ConnectionError
        jwk = OKPAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return json.dumps({"keys": [{**jwk, "kid": self.kid}]})

    def permit(self, action: Action, *, freeze_epoch: int = 0) -> str:
        permit = Permit.for_action(
            action,
            permit_id=str(uuid4()),
            decision=str(uuid4()),
            freeze_epoch=freeze_epoch,
            now=NOW,
        )
        return mint(permit, self.key, self.kid)


@pytest.fixture
def governance() -> Governance:
    return Governance()


@pytest.fixture
def gatekeeper(governance: Governance) -> Gatekeeper:
    return Gatekeeper("threads", Toolbox([TOOL]), governance.key_set, lambda: NOW)


def deletion(**changes: Any) -> Action:
    given: dict[str, Any] = {
        "tool": TOOL.pinned,
        "arguments": {"thread": "t-1"},
        "targets": (Target("thread", "t-1", "v1"),),
    }
    return an_action(**given | changes)


async def test_a_fair_use_by_its_principal_is_admitted(
    gatekeeper: Gatekeeper, governance: Governance
) -> None:
    action = deletion()

    admitted = await gatekeeper.admit(
        governance.permit(action), action.canonical(), asker=action.principal
    )

    assert admitted.action == action


async def test_the_keys_are_fetched_once(gatekeeper: Gatekeeper, governance: Governance) -> None:
    for _ in range(3):
        action = deletion()
        await gatekeeper.admit(
            governance.permit(action), action.canonical(), asker=action.principal
        )

    assert governance.asked == 1


async def test_a_key_that_is_new_is_fetched_and_one_that_is_gone_is_forgotten(
    gatekeeper: Gatekeeper, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = deletion()
    old = governance.permit(action)
    await gatekeeper.admit(old, action.canonical(), asker=action.principal)
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.0)
    governance.rotate()

    await gatekeeper.admit(governance.permit(action), action.canonical(), asker=action.principal)

    with pytest.raises(PermitForged):
        await gatekeeper.admit(old, action.canonical(), asker=action.principal)


async def test_a_key_that_governance_withdrew_is_forgotten_although_no_permit_names_another(
    gatekeeper: Gatekeeper, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = deletion()
    stolen = governance.permit(action)
    await gatekeeper.admit(stolen, action.canonical(), asker=action.principal)
    governance.rotate()
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.0)
    monkeypatch.setattr(module, "KEYS_SECONDS", 0.0)

    with pytest.raises(PermitForged):
        await gatekeeper.admit(stolen, action.canonical(), asker=action.principal)


async def test_forged_key_ids_do_not_make_it_ask_each_time(
    gatekeeper: Gatekeeper, governance: Governance
) -> None:
    action = deletion()
    for _ in range(5):
        with pytest.raises(PermitForged):
            await gatekeeper.admit(
                Governance().permit(action), action.canonical(), asker=action.principal
            )

    assert governance.asked == 1


async def test_without_any_keys_it_says_so_and_asks_again(
    gatekeeper: Gatekeeper, governance: Governance
) -> None:
    governance.away = True
    action = deletion()
    permit = governance.permit(action)
    with pytest.raises(PermitKeysUnavailable):
        await gatekeeper.admit(permit, action.canonical(), asker=action.principal)
    governance.away = False

    await gatekeeper.admit(permit, action.canonical(), asker=action.principal)


async def test_known_keys_serve_while_governance_is_away(
    gatekeeper: Gatekeeper, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = deletion()
    permit = governance.permit(action)
    await gatekeeper.admit(permit, action.canonical(), asker=action.principal)
    governance.away = True
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.0)
    for seconds in (module.KEYS_SECONDS, 0.0):
        monkeypatch.setattr(module, "KEYS_SECONDS", seconds)

        await gatekeeper.admit(permit, action.canonical(), asker=action.principal)

    assert governance.asked == 2


@pytest.mark.parametrize("part", ["tenant", "person", "identity", "agent"])
async def test_only_the_principal_itself_is_admitted(
    gatekeeper: Gatekeeper, governance: Governance, part: str
) -> None:
    action = deletion()
    asker = replace(action.principal, **{part: "somebody-else"})

    with pytest.raises(PermitForAnotherIdentity):
        await gatekeeper.admit(governance.permit(action), action.canonical(), asker=asker)


async def test_a_permit_that_is_over_admits_nothing(governance: Governance) -> None:
    action, later = deletion(), NOW + timedelta(seconds=12)
    late = Gatekeeper("threads", Toolbox([TOOL]), governance.key_set, lambda: later)

    with pytest.raises(PermitExpired):
        await late.admit(governance.permit(action), action.canonical(), asker=action.principal)


async def test_a_permit_from_before_a_freeze_that_it_has_heard_of_admits_nothing(
    gatekeeper: Gatekeeper, governance: Governance
) -> None:
    action = deletion()
    gatekeeper.freezes = (Freeze("kind", "delete", action.principal.tenant, 2),)

    with pytest.raises(PermitFrozen):
        await gatekeeper.admit(
            governance.permit(action, freeze_epoch=1), action.canonical(), asker=action.principal
        )


async def test_a_lie_about_the_tool_is_not_admitted_whatever_is_permitted(
    gatekeeper: Gatekeeper, governance: Governance
) -> None:
    action = deletion(kind=ActionKind.SEARCH)

    with pytest.raises(ToolMisused):
        await gatekeeper.admit(
            governance.permit(action), action.canonical(), asker=action.principal
        )


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c"])
async def test_what_is_no_token_is_forged(gatekeeper: Gatekeeper, token: str) -> None:
    action = deletion()

    with pytest.raises(PermitForged):
        await gatekeeper.admit(token, action.canonical(), asker=action.principal)
