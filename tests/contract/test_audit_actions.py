"""Every action that the log knows is one that something does; every planted fault has its place."""

from pathlib import Path

import pytest

from chenu.events.v1.audit_event_pb2 import AuditAction
from tests.mutants.faults import FAULTS, Fault

ROOT = Path(__file__).parents[2]
PRODUCT = (
    "LOGIN", "LOGOUT", "CREATE", "READ", "UPDATE", "DELETE", "CHECKPOINT_CREATED",
    "CHECKPOINT_APPROVED", "CHECKPOINT_REJECTED", "AGENT_HIRED", "AGENT_FIRED", "AGENT_TASK",
    "CROSS_SPHERE_ACCESS", "CROSS_SPHERE_TRANSFER",
)  # fmt: skip
OLDER = ("CREATE", "READ", "UPDATE", "DELETE", "EXECUTE", "APPROVE", "REJECT", "IDENTITY_VIOLATION")
WRITERS = [*ROOT.glob("services/*/audit_events.py"), ROOT / "kernel" / "denials.py"]


def test_the_products_fourteen_actions_and_its_older_eight_are_there() -> None:
    names = {name.removeprefix("AUDIT_ACTION_") for name in AuditAction.keys()}  # noqa: SIM118
    assert names >= {*PRODUCT, *OLDER}


@pytest.mark.parametrize("action", AuditAction.keys()[1:])
def test_each_action_is_written_by_some_service(action: str) -> None:
    assert any(action in file.read_text("utf-8") for file in WRITERS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_that_is_planted_has_a_place_and_tests_that_look(fault: Fault) -> None:
    assert (ROOT / fault.file).read_text("utf-8").count(fault.before) == 1
    assert fault.before != fault.after
    for test in fault.tests:
        file, _, name = test.partition("::")
        assert f"def {name}" in (ROOT / file).read_text("utf-8")
