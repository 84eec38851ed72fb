"""What it takes to approve: read from a rule, with its defaults filled in, checked once.

A rule holds the JSON text of an ApprovalRequirement; a checkpoint keeps the message whole,
as it was when the action was asked for.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import protovalidate
from google.protobuf import json_format

from chenu.governance.v1.approval_pb2 import (
    ApprovalRequirement,
    ApprovalStage,
    Approvers,
    RiskClass,
    WorkingHours,
)

_VALIDATOR: Final = protovalidate.Validator()


class RequirementInvalid(ValueError):
    """A requirement that says nothing, or that nobody could ever meet."""


class Requirements:
    """Requirements with the service's own clocks where a rule says nothing of them."""

    def __init__(
        self, pending: timedelta, validity: timedelta, remote: RiskClass = RiskClass.RISK_CLASS_LOW
    ) -> None:
        self._pending, self._validity, self._remote = pending, validity, remote
        self.of = lru_cache(maxsize=2000)(self._of)

    def _of(self, text: str) -> ApprovalRequirement:
        """The requirement of a rule's text, whole; empty text is one approval by the owner."""
        requirement = parse(text)
        if not requirement.stages:
            owner = ApprovalStage(required=1, approvers=Approvers(owner=True))
            requirement.stages.append(owner)
        if not requirement.HasField("expire_after"):
            requirement.expire_after.FromTimedelta(self._pending)
        if not requirement.HasField("validity"):
            requirement.validity.FromTimedelta(self._validity)
        if not requirement.HasField("remote_risk_class"):
            requirement.remote_risk_class = self._remote
        return requirement


def parse(text: str) -> ApprovalRequirement:
    """The requirement that JSON text says; RequirementInvalid tells what is wrong with it."""
    requirement = ApprovalRequirement()
    if text:
        try:
            json_format.Parse(text, requirement)
        except json_format.ParseError as error:
            raise RequirementInvalid(str(error)) from None
    check(requirement)
    return requirement


def check(requirement: ApprovalRequirement) -> None:
    """Raise RequirementInvalid unless the requirement can be met and means something."""
    for violation in _VALIDATOR.collect_violations(requirement):
        field: Any = violation.proto.field
        path = ".".join(element.field_name for element in field.elements)
        raise RequirementInvalid(f"{path}: {violation.proto.message}")
    for number, stage in enumerate(requirement.stages, 1):
        if not named(stage.approvers):
            raise RequirementInvalid(f"stage {number} names nobody")
        persons = len(stage.approvers.person_ids) + stage.approvers.owner
        if not stage.approvers.roles and persons < stage.required:
            raise RequirementInvalid(f"stage {number} wants more people than it names")
    if requirement.HasField("escalate_after") != named(requirement.fallback):
        raise RequirementInvalid("escalate_after and fallback belong together")
    if requirement.HasField("working_hours"):
        _check_hours(requirement.working_hours)


def named(approvers: Approvers) -> bool:
    """Whether it names anybody."""
    return bool(approvers.owner or approvers.roles or approvers.person_ids)


def stored(requirement: ApprovalRequirement) -> dict[str, Any]:
    """The requirement as a row keeps it."""
    return json_format.MessageToDict(requirement, preserving_proto_field_name=True)


def read(document: dict[str, Any]) -> ApprovalRequirement:
    """The requirement that a row keeps."""
    return _read(json.dumps(document))


@lru_cache(maxsize=1_000)
def _read(document: str) -> ApprovalRequirement:
    """There are few of them, and they are read for every vote: nobody changes what comes back."""
    return json_format.Parse(document, ApprovalRequirement())


def required(requirement: ApprovalRequirement) -> int:
    """How many different people must approve, all stages together."""
    return sum(stage.required for stage in requirement.stages)


def owner_alone(requirement: ApprovalRequirement) -> bool:
    """Whether the owner's one approval is all that it takes, and nobody else may say no."""
    first, *others = requirement.stages
    alone = first.required == 1 and first.approvers.owner and not others
    return alone and not requirement.four_eyes and not named(requirement.veto)


def _check_hours(hours: WorkingHours) -> None:
    try:
        ZoneInfo(hours.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise RequirementInvalid(f"no such time zone: {hours.time_zone}") from None
    if hours.start >= hours.end:
        raise RequirementInvalid("the working day ends before it begins")
    for holiday in hours.holidays:
        try:
            date.fromisoformat(holiday)
        except ValueError:
            raise RequirementInvalid(f"no such day: {holiday}") from None
