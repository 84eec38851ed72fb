"""Messages as services send them."""

import json
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint, Checkpoint
from chenu_gate.action import Action, ActionKind, Principal, Target, Tool
from chenu_gate.block import block_status
from chenu_gate.canonical_json import digest, write
from chenu_gate.view import render

CHECKPOINT = "01920000-0000-7000-8000-00000000c001"
RUN = "01920000-0000-7000-8000-00000000d001"
THREAD = "01920000-0000-7000-8000-00000000e001"


def action(**changes: Any) -> Action:
    fields: dict[str, Any] = {
        "kind": ActionKind.DELETE,
        "tool": Tool("thread.delete", "sha256:" + "a" * 64),
        "executor": "threads",
        "principal": Principal("tenant-1", "person-1", "identity-1"),
        "source_sphere": "personal",
        "targets": (Target("thread", THREAD, "v3"),),
        "arguments": {"thread": THREAD},
        "run": RUN,
    }
    return Action(**{**fields, **changes})


def checkpoint(of: Action | None = None, *, agent_words: str = "", **changes: Any) -> Checkpoint:
    """A pending checkpoint as governance makes it."""
    of = of or action()
    view = render(of, agent_words=agent_words)
    view["question"] = f"{view['headline']} Shall it be done?"
    view["stopped_by"] = {"rule": "destructive_action", "name": "Deleting", "description": "Ask."}
    view["cumulative"] = ["Permitted today: 3."]
    text = write(view)
    made = Checkpoint(
        checkpoint_id=CHECKPOINT,
        type="CHECKPOINT_TYPE_DESTRUCTIVE_ACTION",
        state="CHECKPOINT_STATE_PENDING",
        priority="PRIORITY_HIGH",
        action_kind="ACTION_KIND_DELETE",
        tool=of.tool.name,
        question=view["question"],
        action=of.canonical(),
        action_digest=of.digest,
        view=text.decode(),
        etag=digest(text),
        rule="destructive_action",
        rule_revision="sha256:" + "b" * 64,
        required_approvals=1,
        run_id=RUN,
        sphere="personal",
    )
    made.expire_time.FromJsonString("2100-01-01T00:00:00Z")
    for name, value in changes.items():
        if isinstance(value, list | Message):
            change: dict[str, Any] = {name: value}
            made.MergeFrom(Checkpoint(**change))
        else:
            setattr(made, name, value)
    return made


def view_with(found: Checkpoint, **changes: Any) -> Checkpoint:
    """The same with another view, whose digest is its etag all the same."""
    view = {**json.loads(found.view), **changes}
    text = write(view)
    found.view, found.etag = text.decode(), digest(text)
    return found


def block() -> Status:
    """What a blocked run fails with."""
    one = BlockedCheckpoint(
        checkpoint_id=CHECKPOINT,
        action="thread.delete (delete)",
        question="Delete the thread? Shall it be done?",
        view_digest="sha256:" + "c" * 64,
        preview="What is deleted cannot be brought back.",
    )
    return block_status(RUN, [one])


def status(code: int, message: str, reason: str, *details: Message, **metadata: str) -> Status:
    """What any other call fails with."""
    made = Status(code=code, message=message)
    info = ErrorInfo(domain="chenu", reason=reason, metadata=metadata)
    for detail in (info, *details):
        packed = AnyMessage()
        packed.Pack(detail)
        made.details.append(packed)
    return made


FORBIDDEN = status(Code.PERMISSION_DENIED, "not yours, or it does not exist", "FORBIDDEN")
