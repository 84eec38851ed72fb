"""Notices as governance would tell them, for the tests of channels."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from chenu.governance.v1.approval_pb2 import RiskClass
from chenu.governance.v1.checkpoint_pb2 import Checkpoint, CheckpointState
from chenu.governance.v1.decision_pb2 import ActionKind
from chenu.governance.v1.notice_service_pb2 import GetNoticeResponse, Notice, NoticeEvent
from chenu_gate.canonical_json import write
from chenu_gate.view import render, view_digest
from tests.support.actions import an_action
from tests.support.identity import Person

PENDING = CheckpointState.CHECKPOINT_STATE_PENDING


def a_notice(
    person: Person,
    *,
    approvers: tuple[str, ...] = (),
    event: NoticeEvent = NoticeEvent.NOTICE_EVENT_CREATED,
    state: CheckpointState = PENDING,
    **changes: Any,
) -> GetNoticeResponse:
    """That something waits for the person's approval; `changes` replace fields of the action."""
    view = render(an_action(**changes))
    checkpoint = Checkpoint(
        checkpoint_id=str(uuid4()),
        state=state,
        revision=1,
        action_kind=ActionKind.ACTION_KIND_DELETE,
        tool="thread.delete",
        question="Delete this thread? Shall it be done?",
        view=write(view).decode(),
        etag=view_digest(view),
        identity_id=person.identity,
        required_approvals=1,
        risk=RiskClass.RISK_CLASS_HIGH,
    )
    checkpoint.expire_time.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    notice = Notice(
        notice_id=str(uuid4()),
        checkpoint_id=checkpoint.checkpoint_id,
        tenant_id=person.tenant,
        event=event,
        version=1,
    )
    notice.create_time.FromDatetime(datetime.now(UTC))
    return GetNoticeResponse(
        notice=notice,
        checkpoint=checkpoint,
        review_uri=f"http://localhost:8080/api/v2/checkpoints/{checkpoint.checkpoint_id}",
        person_id=person.person,
        approver_ids=approvers or (person.person,),
    )
