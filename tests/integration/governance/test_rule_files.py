"""Rules as people write them into files, tried through the service."""

from pathlib import Path

import pytest

from chenu.governance.v1 import rule_service_pb2
from chenu.governance.v1.rule_service_pb2 import CreateRuleRevisionRequest
from cli.problems import UsageProblem
from cli.rule_files import RuleFile, written
from tests.support.governance_client import GovernanceClient
from tests.support.identity import Person

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "rules").glob("*.test.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
async def test_every_example_comes_out_as_its_cases_say(
    client: GovernanceClient, person: Person, path: Path
) -> None:
    cases, beside = RuleFile(path).cases(), RuleFile(path).rules_beside()
    assert cases
    assert beside
    answer = await client.rules.TestRules(
        rule_service_pb2.TestRulesRequest(document=RuleFile(beside).document(), cases=cases),
        metadata=client.identity.as_human(person),
    )
    assert not [(one.name, one.message) for one in answer.results if not one.passed]


@pytest.mark.parametrize("form", ["rules.yaml", "rules.json"])
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
async def test_what_is_exported_is_the_same_revision_when_it_is_put_in_again(
    client: GovernanceClient, person: Person, path: Path, form: str, tmp_path: Path
) -> None:
    beside = RuleFile(path).rules_beside()
    assert beside
    document = RuleFile(beside).document()
    revisions = []
    for _ in range(2):
        answer = await client.rules.CreateRuleRevision(
            CreateRuleRevisionRequest(document=document),
            metadata=client.identity.as_human(person),
        )
        revisions.append(answer.revision.revision)
        again = tmp_path / form
        again.write_text(written(answer.revision.document, as_yaml=form.endswith("yaml")))
        document = RuleFile(again).document()
    assert revisions[0] == revisions[1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rules:\n  - code: x\n   effect: deny\n", "rules.yaml:3:4: "),
        ("- 1\n", "a mapping with rules"),
        ("rule: []\n", "'rule' is not known here"),
        ("rules:\n  - code: x\n    efect: deny\n", "rules.yaml:2: x: "),
        ("rules:\n  - code: x\n    effect: forbid\n", "rules.yaml:2: x: "),
        ("rules:\n\n  - 7\n", "rules.yaml:3: a mapping is expected"),
        ("rules: 7\n", "rules is a list"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_line(
    text: str, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(UsageProblem, match=r".") as refused:
        RuleFile(path).document()
    assert told in str(refused.value)
