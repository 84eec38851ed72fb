"""The risk class: a fixed sum, and nothing else."""

from typing import Any

import pytest
from hypothesis import given

from chenu.governance.v1.approval_pb2 import RiskClass
from chenu_gate.action import Action, ActionKind, Target
from services.governance.policy.risk import amounts, risk
from tests.support import actions


def of(kind: ActionKind, targets: int = 1, sphere: str = "business", **arguments: Any) -> str:
    action = actions.an_action(
        kind=kind,
        targets=tuple(Target("thread", str(number)) for number in range(targets)),
        target_sphere=sphere,
        arguments=arguments,
    )
    return RiskClass.Name(risk(action)).removeprefix("RISK_CLASS_")


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        ("search", {}, "LOW"),
        ("search", {"targets": 11, "sphere": "personal"}, "HIGH"),
        ("create", {}, "LOW"),
        ("update", {"targets": 2}, "MEDIUM"),
        ("transfer", {"sphere": "personal"}, "HIGH"),
        ("export", {}, "MEDIUM"),
        ("delete", {}, "HIGH"),
        ("delete", {"targets": 2}, "CRITICAL"),
        ("send", {"amount": 999}, "HIGH"),
        ("send", {"amount": 1000}, "CRITICAL"),
        ("create", {"lines": [{"Total": "-1000.50"}]}, "MEDIUM"),
        ("create", {"amount": True, "price": "much", "sum": "NaN"}, "LOW"),
        ("create", {"amount": "1e1000000"}, "MEDIUM"),
        ("create", {"amount": "-1e-999999999"}, "LOW"),
        ("payment", {}, "CRITICAL"),
    ],
)
def test_an_action_has_the_class_that_the_table_says(
    kind: str, changes: dict[str, Any], expected: str
) -> None:
    assert of(ActionKind(kind), **changes) == expected


def test_amounts_are_found_at_any_depth() -> None:
    found = amounts(actions.an_action(arguments={"a": [{"amount": "12.5"}, {"sum": 3}]}).arguments)

    assert [str(amount) for amount in found] == ["12.5", "3"]


@given(actions.actions)
def test_every_action_has_a_class_and_always_the_same(action: Action) -> None:
    assert (
        risk(action) == risk(Action.parse(action.canonical())) != RiskClass.RISK_CLASS_UNSPECIFIED
    )
