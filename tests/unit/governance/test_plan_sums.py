"""What is refused besides the rules counts for nothing that comes later in its plan."""

import pytest

from chenu.governance.v1.authorization_service_pb2 import ActionRequest
from services.governance.decisions import Judged
from services.governance.judging import Superseded, check_sums
from tests.support.actions import an_action
from tests.unit.governance.test_rules import RULES, facts_of, judged

ACTION = an_action()
FREEZE = {"freeze": {"freeze_id": "f", "create_time": "now"}}


def counted(*, refused: bool = False) -> Judged:
    """An action that adds to a sum; `refused` tells how the rest of its plan was judged."""
    facts, judgement = facts_of(ACTION), judged(ACTION, RULES)
    return Judged(ActionRequest(), ACTION, facts, judgement, RULES, None, {"t": 1}, refused)


REFUSED, OTHER = {"refusal": "FROZEN: by freeze f"}, {"refusal": ""}


def test_a_plan_is_judged_again_when_what_it_counted_is_refused_or_refused_no_more() -> None:
    with pytest.raises(Superseded) as found:
        check_sums([counted(), counted()], [REFUSED, OTHER], [FREEZE, None])
    assert (found.value.refused, found.value.standings) == ({0}, [FREEZE, None])

    with pytest.raises(Superseded) as lifted:
        check_sums([counted(refused=True), counted()], [OTHER, OTHER], [None, None])
    assert lifted.value.refused == set()


def test_a_plan_holds_where_nothing_is_refused_or_was_counted_so_or_comes_later() -> None:
    check_sums([counted(), counted()], [OTHER, OTHER], [None, None])
    check_sums([counted(refused=True), counted()], [REFUSED, OTHER], [FREEZE, None])
    check_sums([counted(), counted()], [OTHER, REFUSED], [None, FREEZE])
    check_sums([counted()._replace(counted={}), counted()], [REFUSED, OTHER], [FREEZE, None])
