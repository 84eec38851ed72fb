"""What it takes to approve, as a rule says it."""

import json
from datetime import timedelta
from typing import Any

import pytest

from chenu.governance.v1.approval_pb2 import RiskClass
from services.governance.review.quorum import decides_from_afar
from services.governance.review.requirements import (
    RequirementInvalid,
    Requirements,
    parse,
    read,
    required,
    stored,
)

REQUIREMENTS = Requirements(timedelta(minutes=60), timedelta(hours=24))
UNSPECIFIED, LOW, MEDIUM = (
    RiskClass.RISK_CLASS_UNSPECIFIED,
    RiskClass.RISK_CLASS_LOW,
    RiskClass.RISK_CLASS_MEDIUM,
)
PERSON = "01923c5a-0000-7000-8000-000000000001"
FINANCE: dict[str, Any] = {"required": 2, "approvers": {"roles": ["finance"]}}


def test_the_default_is_one_approval_by_the_owner_within_the_services_clocks() -> None:
    requirement = REQUIREMENTS.of("")

    (stage,) = requirement.stages
    assert (stage.required, stage.approvers.owner) == (1, True)
    assert not requirement.four_eyes
    assert requirement.expire_after.ToTimedelta() == timedelta(minutes=60)
    assert requirement.validity.ToTimedelta() == timedelta(hours=24)


@pytest.mark.parametrize(
    ("said", "holds"),
    [({}, LOW), *(({"remote_risk_class": one}, one) for one in (UNSPECIFIED, MEDIUM))],
)
def test_a_rule_names_up_to_which_risk_class_a_mail_decides_or_the_service_does(
    said: dict[str, Any], holds: RiskClass
) -> None:
    requirement = REQUIREMENTS.of(json.dumps(said))
    assert requirement.remote_risk_class == holds
    assert read(stored(requirement)) == requirement


def test_a_rules_words_win_over_the_defaults_and_come_back_from_the_row() -> None:
    text = json.dumps(
        {"stages": [FINANCE, {"required": 1, "approvers": {"owner": True}}], "validity": "60s"}
    )

    requirement = REQUIREMENTS.of(text)

    assert required(requirement) == 3
    assert requirement.validity.ToTimedelta() == timedelta(minutes=1)
    assert requirement.expire_after.ToTimedelta() == timedelta(minutes=60)
    assert read(json.loads(json.dumps(stored(requirement)))) == requirement


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"stages": [{"required": 0, "approvers": {"owner": True}}]}, "required"),
        ({"stages": [{"required": 1}]}, "approvers"),
        ({"stages": [{"required": 1, "approvers": {}}]}, "stage 1 names nobody"),
        ({"stages": [{"required": 2, "approvers": {"owner": True}}]}, "more people"),
        ({"stages": [{"required": 2, "approvers": {"person_ids": [PERSON]}}]}, "more people"),
        ({"stages": [{"required": 1, "approvers": {"roles": ["No Role"]}}]}, "roles"),
        ({"escalate_after": "600s"}, "fallback"),
        ({"fallback": {"roles": ["board"]}}, "escalate_after"),
        ({"expire_after": "1s"}, "expire_after"),
        ({"remind_after": "315576000000s"}, "remind_after"),
        ({"escalate_after": "86401s", "fallback": {"owner": True}}, "escalate_after"),
        ({"validity": "1s"}, "validity"),
        ({"votes": 3}, "votes"),
        ({"remote_risk_class": "RISK_CLASS_CRITICAL"}, "remote_risk_class"),
        (
            {"working_hours": {"time_zone": "Mars/Base", "days": [1], "start": "09:00",
                               "end": "17:00"}},
            "time zone",
        ),
        (
            {"working_hours": {"time_zone": "UTC", "days": [1], "start": "17:00", "end": "09:00"}},
            "ends before it begins",
        ),
        (
            {"working_hours": {"time_zone": "UTC", "days": [1], "start": "09:00", "end": "17:00",
                               "holidays": ["2026-02-30"]}},
            "no such day",
        ),
    ],
)  # fmt: skip
def test_a_requirement_that_cannot_be_met_is_refused(document: dict[str, Any], said: str) -> None:
    with pytest.raises(RequirementInvalid, match=said):
        parse(json.dumps(document))


def test_what_decides_from_afar_is_known_and_not_above_the_class_that_is_named() -> None:
    risks: list[Any] = RiskClass.values()
    found = {
        most: [risk for risk in risks if decides_from_afar(REQUIREMENTS.of(json.dumps(said)), risk)]
        for most in (UNSPECIFIED, LOW, MEDIUM)
        for said in [{"remote_risk_class": RiskClass.Name(most)}]
    }
    assert found == {UNSPECIFIED: [], LOW: [LOW], MEDIUM: [LOW, MEDIUM]}
