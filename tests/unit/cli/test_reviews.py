"""What people do before they decide, and with whom, against recorded answers."""

import json
from collections.abc import Callable

import pytest
from typer.testing import Result

from chenu.governance.v1.approval_pb2 import ApprovalRequirement, ApprovalStage, Approvers
from chenu.governance.v1.authorization_service_pb2 import (
    GetAuthorizationResponse,
    Verdict,
)
from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint, Remark, StageProgress
from chenu.governance.v1.checkpoint_service_pb2 import (
    ApproveCheckpointResponse,
    GetCheckpointResponse,
    ListCheckpointsResponse,
)
from chenu.governance.v1.decision_pb2 import Decision, ExecutionState
from chenu.governance.v1.deputy_service_pb2 import (
    AppointDeputyResponse,
    Deputy,
    DismissDeputyResponse,
    ListDeputiesResponse,
)
from chenu.governance.v1.outcome_service_pb2 import ReconcileOutcomeResponse
from chenu.governance.v1.review_service_pb2 import (
    AssignCheckpointResponse,
    ClaimCheckpointResponse,
    CommentCheckpointResponse,
    EditCheckpointResponse,
    EditedTarget,
    ReleaseCheckpointResponse,
)
from chenu.identity.v1.people_service_pb2 import (
    DeactivatePersonResponse,
    InvitePersonResponse,
    ListPeopleResponse,
    SetPersonRolesResponse,
    TenantPerson,
)
from chenu.identity.v1.token_service_pb2 import IssueVoteTokenResponse
from chenu_gate.action import Target
from cli.problems import UsageProblem
from cli.reviews import put
from tests.unit.cli import samples
from tests.unit.cli.conftest import Recording

Chenu = Callable[..., Result]
BEA = "01920000-0000-7000-8000-00000000beab"
DEPUTY = "01920000-0000-7000-8000-00000000dddd"


@pytest.fixture(autouse=True)
def listed(recording: Recording) -> None:
    waiting = samples.checkpoint()
    recording.answer("ListCheckpoints", ListCheckpointsResponse(checkpoints=[waiting]))
    person = TenantPerson(person_id=BEA, display_name="Bea", roles=["finance"])
    recording.answer("ListPeople", ListPeopleResponse(people=[person]))


def test_a_checkpoint_is_claimed_released_and_assigned(chenu: Chenu, recording: Recording) -> None:
    claimed = samples.checkpoint(claimed_by=BEA)
    recording.answer("ClaimCheckpoint", ClaimCheckpointResponse(checkpoint=claimed))
    recording.answer(
        "ReleaseCheckpoint", ReleaseCheckpointResponse(checkpoint=samples.checkpoint())
    )
    recording.answer("AssignCheckpoint", AssignCheckpointResponse(checkpoint=claimed))

    assert "is reserved for 0000beab" in chenu("claim", "c001", "--minutes", "30").stdout
    assert recording.calls("ClaimCheckpoint")[0].minutes == 30
    assert "reserved for nobody" in chenu("release", "c001").stdout
    assert "is reserved for 0000beab" in chenu("assign", "c001", "Bea").stdout
    assert recording.calls("AssignCheckpoint")[0].person_id == BEA


def test_comments_and_questions_are_sent_as_what_they_are(
    chenu: Chenu, recording: Recording
) -> None:
    told = samples.checkpoint(remarks=[Remark(text="Which\u202e one?")])
    recording.answer("CommentCheckpoint", CommentCheckpointResponse(checkpoint=told))

    assert "\u202e" not in chenu("ask", "c001", "Which one?").stdout
    assert chenu("comment", "c001", "This one.").exit_code == 0
    asked, commented = recording.calls("CommentCheckpoint")
    assert (asked.is_question, commented.is_question) == (True, False)


def test_an_edit_keeps_the_types_of_what_it_changes(chenu: Chenu, recording: Recording) -> None:
    action = samples.action(arguments={"amount": 7, "note": "x", "deep": {"on": True}})
    waiting = samples.checkpoint(action)
    recording.answer("GetCheckpoint", GetCheckpointResponse(checkpoint=waiting))
    recording.answer("EditCheckpoint", EditCheckpointResponse(checkpoint=waiting))

    result = chenu(
        "edit", "c001", "--set", "amount=9", "--set", "note=12", "--set", "deep.on=false"
    )

    assert result.exit_code == 0, result.output
    (sent,) = recording.calls("EditCheckpoint")
    assert json.loads(sent.arguments) == {"amount": 9, "note": "12", "deep": {"on": False}}
    assert sent.etag == waiting.etag


def test_an_edit_may_name_other_targets_and_another_sphere(
    chenu: Chenu, recording: Recording
) -> None:
    action = samples.action(targets=(Target("thread", "t-1", "v1", "Plans"),))
    waiting = samples.checkpoint(action)
    recording.answer("GetCheckpoint", GetCheckpointResponse(checkpoint=waiting))
    recording.answer("EditCheckpoint", EditCheckpointResponse(checkpoint=waiting))

    other = chenu("edit", "c001", "--target", '{"id": "t-2", "name": "Notes"}', "--sphere", "")
    assert other.exit_code == 0, other.output
    assert chenu("edit", "c001", "--sphere", "business").exit_code == 0

    first, second = recording.calls("EditCheckpoint")
    assert list(first.targets.targets) == [
        EditedTarget(type="thread", id="t-2", version="v1", name="Notes")
    ]
    assert (first.HasField("target_sphere"), first.target_sphere) == (True, "")
    assert json.loads(first.arguments) == json.loads(waiting.action)["arguments"]
    assert (second.HasField("targets"), second.target_sphere) == (False, "business")


def test_an_edit_that_names_nothing_or_no_target_is_a_usage_problem(
    chenu: Chenu, recording: Recording
) -> None:
    recording.answer("GetCheckpoint", GetCheckpointResponse(checkpoint=samples.checkpoint()))

    assert "nothing to change" in chenu("edit", "c001").stderr
    for text in ("t-2", "[]", '{"ident": "t-2"}', '{"id": 2}'):
        assert "is no target" in chenu("edit", "c001", "--target", text).stderr


def test_an_unknown_outcome_is_settled_by_its_checkpoint_or_its_decision(
    chenu: Chenu, recording: Recording
) -> None:
    waiting = samples.checkpoint(request_id=DEPUTY)
    recording.answer("GetCheckpoint", GetCheckpointResponse(checkpoint=waiting))
    verdict = Verdict(decision=Decision(decision_id=BEA))
    recording.answer("GetAuthorization", GetAuthorizationResponse(verdict=verdict))
    settled = ReconcileOutcomeResponse(decision_id=BEA, state="EXECUTION_STATE_FAILED")
    recording.answer("ReconcileOutcome", settled)

    assert "0000beab: failed" in chenu("reconcile", "c001", "--not-done").stdout
    assert chenu("reconcile", "--decision", BEA, "--done").exit_code == 0

    assert recording.calls("GetAuthorization")[0].request_id == DEPUTY
    sent = [(one.decision_id, one.state) for one in recording.calls("ReconcileOutcome")]
    assert sent == [
        (BEA, ExecutionState.EXECUTION_STATE_FAILED),
        (BEA, ExecutionState.EXECUTION_STATE_SUCCEEDED),
    ]
    assert "name a checkpoint or a --decision" in chenu("reconcile", "--done").stderr


@pytest.mark.parametrize("setting", ["amount", "=1", "no.where=1", "amount=seven"])
def test_a_setting_that_does_not_fit_is_a_usage_problem(setting: str) -> None:
    with pytest.raises(UsageProblem):
        put({"amount": 7}, setting)


def test_show_tells_the_stages_and_who_is_missing(chenu: Chenu, recording: Recording) -> None:
    requirement = ApprovalRequirement(
        stages=[
            ApprovalStage(name="money", required=2, approvers=Approvers(roles=["finance"])),
            ApprovalStage(required=1, approvers=Approvers(owner=True)),
        ],
        four_eyes=True,
        veto=Approvers(roles=["legal"]),
    )
    waiting = samples.checkpoint(
        approval=requirement,
        stages=[
            StageProgress(name="money", required=2, person_ids=[BEA], missing=1),
            StageProgress(required=1, missing=1),
        ],
        current_stage=1,
    )
    recording.answer("GetCheckpoint", GetCheckpointResponse(checkpoint=waiting))

    told = chenu("show", "c001").stdout

    assert "money: 1 of 2, missing 1 of role finance" in told
    assert "0 of 1, missing 1 of the owner, not yet its turn" in told
    assert "role legal may say no" in told
    assert "not the requester" in told


def test_people_are_invited_listed_given_roles_and_deactivated(
    chenu: Chenu, recording: Recording
) -> None:
    person = TenantPerson(person_id=BEA, display_name="Bea", roles=["board"])
    recording.answer(
        "InvitePerson",
        InvitePersonResponse(invitation_id=samples.RUN, invitation_secret="chenu_invitation_x"),
    )
    recording.answer("SetPersonRoles", SetPersonRolesResponse(person=person))
    recording.answer("DeactivatePerson", DeactivatePersonResponse(person=person))

    assert "finance" in chenu("people", "list").stdout
    assert "chenu_invitation_x" in chenu("people", "invite", "--role", "finance").stdout
    assert list(recording.calls("InvitePerson")[0].roles) == ["finance"]
    assert "board" in chenu("people", "roles", "Bea", "--role", "board").stdout
    assert recording.calls("SetPersonRoles")[0].person_id == BEA
    assert chenu("people", "deactivate", "beab").exit_code == 0


def test_deputies_are_appointed_listed_and_dismissed(chenu: Chenu, recording: Recording) -> None:
    deputy = Deputy(deputy_id=DEPUTY, person_id=samples.RUN, deputy_person_id=BEA)
    waiting = samples.checkpoint()
    verdict = Verdict(checkpoint=BlockedCheckpoint(checkpoint_id=waiting.checkpoint_id))
    recording.answer("AppointDeputy", AppointDeputyResponse(verdict=verdict))
    recording.answer("ListDeputies", ListDeputiesResponse(deputies=[deputy]))
    recording.answer("DismissDeputy", DismissDeputyResponse(deputy=deputy))

    told = chenu("deputies", "appoint", "Bea", "--days", "3").stdout
    assert f"chenu show {waiting.checkpoint_id[-8:]}" in told
    assert recording.calls("AppointDeputy")[0].deputy_person_id == BEA
    assert "0000beab" in chenu("deputies", "list").stdout
    assert chenu("deputies", "dismiss", "dddd").exit_code == 0
    assert recording.calls("DismissDeputy")[0].deputy_id == DEPUTY


def test_a_vote_that_is_not_the_last_says_how_many_are_missing(
    chenu: Chenu, recording: Recording
) -> None:
    waiting = samples.checkpoint(
        approval=ApprovalRequirement(stages=[ApprovalStage(required=2)]),
        stages=[StageProgress(required=2, person_ids=[BEA], missing=1)],
    )
    recording.answer("GetCheckpoint", GetCheckpointResponse(checkpoint=waiting))
    recording.answer("IssueVoteToken", IssueVoteTokenResponse(vote_token="v"))
    recording.answer("ApproveCheckpoint", ApproveCheckpointResponse(checkpoint=waiting))

    told = chenu("approve", "c001", "--yes")

    assert "Your vote counts; 1 more must approve." in told.stdout
