"""Plans and faults that a request dictates to the simulator."""

import pytest

from deploy.local.simulator.plan import Call, Plan
from deploy.local.simulator.script import (
    Fault,
    ScriptInvalid,
    scripted_faults,
    scripted_plan,
    without_script,
)


def test_a_script_is_the_plan_to_the_letter() -> None:
    request = 'Do it\n#simulate: {"text": "Yes", "tools": [{"name": "x", "input": {"n": 1}}]}'
    assert scripted_plan(request, 0) == Plan("Yes", (Call("x", {"n": 1}),))


def test_a_script_may_finish_with_its_text_as_the_answer() -> None:
    planned = scripted_plan('#simulate: {"text": "Done", "tools": [], "finish": true}', 0)
    assert planned == Plan("Done", (Call("finish", {"answer": "Done"}),))


def test_a_list_scripts_one_plan_a_round() -> None:
    request = '#simulate: [{"tools": [{"name": "a", "input": {}}]}, {"text": "two"}]'
    assert scripted_plan(request, 0) == Plan("", (Call("a", {}),))
    assert scripted_plan(request, 1) == Plan("two")
    assert scripted_plan(request, 2) == Plan("The script has ended.")


def test_a_request_without_a_script_has_no_scripted_plan() -> None:
    assert scripted_plan("Please #simulate: nothing", 0) is None
    assert scripted_faults("Please #simulate-fault: nothing") == []


@pytest.mark.parametrize(
    "script", ["", "{", "5", '{"tools": 5}', '{"tools": [{}]}', "[5]", '{"tools": [{"name": "x"}]}']
)
def test_a_script_that_cannot_be_read_is_refused(script: str) -> None:
    with pytest.raises(ScriptInvalid, match="#simulate"):
        scripted_plan(f"#simulate: {script}", 0)


def test_faults_are_read_from_their_lines() -> None:
    request = "Hello\n#simulate-fault: slow:250\n #simulate-fault: truncate\n"
    assert scripted_faults(request) == [Fault("slow", 250), Fault("truncate")]


@pytest.mark.parametrize("fault", ["", "slow", "slow:x", "explode", "overloaded:-1"])
def test_a_fault_that_does_not_exist_is_refused(fault: str) -> None:
    with pytest.raises(ScriptInvalid, match="no fault"):
        scripted_faults(f"#simulate-fault: {fault}")


def test_the_words_remain_without_the_script() -> None:
    request = 'Delete "A"\n#simulate-fault: garbage\n#simulate: {}\nnow'
    assert without_script(request).split() == ["Delete", '"A"', "now"]
