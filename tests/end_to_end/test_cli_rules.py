"""The command on a real stack: rules as files, tried out, promoted by a person, taken out again."""

import json
from pathlib import Path
from uuid import uuid4

from tests.end_to_end.conftest import RunningStack
from tests.end_to_end.typing_chenu import answer, new_thread, problem, title, until

EXAMPLES = Path(__file__).parents[2] / "examples" / "rules"
RULES = """
rules:
  - code: no_{code}
    description: The tool is not used.
    effect: deny
    tools: [{code}]
"""
LONG = """rules:
  - code: long
    effect: deny
    condition: |
      action.kind == 'update'
      && action.amont > 5
"""


def test_rules_go_from_a_file_into_force_by_the_decision_of_a_person(
    stack: RunningStack, tmp_path: Path
) -> None:
    code = f"t{uuid4().hex[:8]}"
    file = tmp_path / "rules.yaml"
    file.write_text(RULES.format(code=code))
    linted = answer(stack, "rules", "lint", str(file))["revision"]
    assert linted["rule_count"] == 1
    assert f"no_{code}" in stack.chenu("rules", "diff", str(file)).stdout
    assert "0 not replayable" in stack.chenu("rules", "replay", str(file)).stdout

    asked = answer(stack, "rules", "promote", str(file))
    assert asked["required_approvals"] == 1
    checkpoint = asked["verdict"]["checkpoint"]["checkpoint_id"]
    assert stack.chenu("show", checkpoint).exit_code == 0
    assert stack.chenu("approve", checkpoint).exit_code == 0
    until(lambda: answer(stack, "rules")["revision"] == linted["revision"])
    assert f"no_{code}" in {rule["code"] for rule in answer(stack, "rules")["rules"]}
    assert stack.chenu("rules", "diff", str(file)).stdout.strip() == "They say the same."
    exported = tmp_path / "live.json"
    assert stack.chenu("rules", "export", "--out", str(exported)).exit_code == 0
    assert json.loads(exported.read_text())["rules"][0]["code"] == f"no_{code}"
    as_yaml = tmp_path / "live.yaml"
    assert stack.chenu("rules", "export", "live", "--out", str(as_yaml)).exit_code == 0
    assert stack.chenu("rules", "diff", str(as_yaml)).stdout.strip() == "They say the same."
    again = problem(stack, "rules", "promote", "live", code=1)
    assert again["reason"] == "ALREADY_LIVE"
    listed = stack.chenu("rules", "revisions").stdout
    assert linted["revision"] in listed
    assert "live" in listed


def test_cases_fail_the_command_when_they_do_not_come_out(
    stack: RunningStack, tmp_path: Path
) -> None:
    assert stack.chenu("rules", "test", str(EXAMPLES / "limits.test.yaml")).exit_code == 0
    wrong = tmp_path / "wrong.test.yaml"
    wrong.write_text("cases:\n  - {name: reading, action: {kind: search}, effect: deny}\n")
    result = stack.chenu("rules", "test", str(wrong))
    assert result.exit_code == 1
    assert "expected DENY, found ALLOW" in result.stdout


def test_a_mistake_in_a_file_is_shown_where_it_is(stack: RunningStack, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("rules:\n  - code: typo\n    effect: deny\n    condition: action.knd == 'x'\n")
    result = stack.chenu("rules", "lint", str(file))
    assert result.exit_code == 1
    assert f"{file}:4: typo condition" in result.output
    assert "1:7: undeclared reference to 'action.knd'" in result.output
    assert "......^" in result.output
    file.write_text(LONG)
    result = stack.chenu("rules", "lint", str(file))
    assert f"{file}:4: long condition" in result.output
    assert "2:10: undeclared reference to 'action.amont'" in result.output
    assert " | && action.amont > 5\n | .........^" in result.output


def test_an_action_or_a_wish_is_explained_and_not_done(stack: RunningStack, tmp_path: Path) -> None:
    told = answer(stack, "rules", "explain", "{kind: delete, tool: thread.delete}", "--asked")
    found = told["evaluation"]
    assert (found["effect"], found["rule"]) == ("EFFECT_CHECKPOINT", "destructive_action")
    assert [one["rule"] for one in found["matches"]][1] == "requested_checkpoint"
    file = tmp_path / "action.yaml"
    file.write_text("kind: update\narguments: {amount: 101}\n")
    shown = stack.chenu("rules", "explain", str(file)).stdout
    assert "budget_limit" in shown
    assert "own_sphere_changes" in shown
    wanted = title()
    new_thread(stack, wanted)
    waiting = answer(stack, "inbox")
    shown = stack.chenu("rules", "explain", f"Delete the thread “{wanted}”").stdout
    assert "thread.delete (delete)" in shown
    assert "1 of the owner" in shown
    assert answer(stack, "inbox") == waiting
    for wrong in ("{kind: sing}", "{kind: [", "{targets: [1]}"):
        assert stack.chenu("rules", "explain", wrong).exit_code == 2


def test_the_shadow_and_the_constitution_can_be_seen(stack: RunningStack) -> None:
    assert "Human sovereignty" in stack.chenu("rules", "constitution").stdout
    shadowed = answer(stack, "rules", "shadow", str(EXAMPLES / "office.yaml"))
    assert shadowed["label"]["revision"].startswith("sha256:")
    assert stack.chenu("rules", "differences").exit_code == 0
    assert not answer(stack, "rules", "shadow", "--off")["label"]["revision"]
    assert stack.chenu("rules", "shadow").exit_code == 2
    assert stack.chenu("rules", "lint", "nowhere.yaml").exit_code == 2
    assert stack.chenu("rules", "diff", "No Such Thing").exit_code == 2
