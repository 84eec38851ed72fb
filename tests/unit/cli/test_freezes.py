"""The brake, against recorded answers."""

from collections.abc import Callable

import pytest
from typer.testing import Result

from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint
from chenu.governance.v1.freeze_pb2 import Freeze, FreezeScope
from chenu.governance.v1.freeze_service_pb2 import (
    FreezeResponse,
    LiftFreezeResponse,
    ListFreezesResponse,
)
from tests.unit.cli import samples
from tests.unit.cli.conftest import Recording

Chenu = Callable[..., Result]
FREEZE = "01920000-0000-7000-8000-00000000f001"


def a_freeze(scope: str = "TENANT", value: str = "") -> Freeze:
    made = Freeze(freeze_id=FREEZE, scope=f"FREEZE_SCOPE_{scope}", value=value)
    made.effective_time.FromJsonString("2026-05-01T12:00:12Z")
    return made


@pytest.mark.parametrize(
    ("options", "scope", "value"),
    [
        ((), "TENANT", ""),
        (("--kind", "send"), "KIND", "send"),
        (("--tool", "thread.delete"), "TOOL", "thread.delete"),
        (("--everybody",), "ALL", ""),
    ],
)
def test_a_freeze_stops_what_was_named_and_says_from_when_on(
    chenu: Chenu, recording: Recording, options: tuple[str, ...], scope: str, value: str
) -> None:
    recording.answer("Freeze", FreezeResponse(freeze=a_freeze(scope, value)))

    result = chenu("freeze", *options, "--reason", "stop")

    (sent,) = recording.calls("Freeze")
    assert (FreezeScope.Name(sent.scope), sent.value) == (f"FREEZE_SCOPE_{scope}", value)
    assert sent.reason == "stop"
    assert "Nothing of it starts after" in result.stdout


def test_one_freeze_stops_one_thing(chenu: Chenu) -> None:
    assert chenu("freeze", "--kind", "send", "--tool", "thread.delete").exit_code == 2


def test_to_lift_a_freeze_people_are_asked(chenu: Chenu, recording: Recording) -> None:
    recording.answer("ListFreezes", ListFreezesResponse(freezes=[a_freeze()]))
    answer = LiftFreezeResponse(freeze=a_freeze())
    answer.verdict.checkpoint.CopyFrom(BlockedCheckpoint(checkpoint_id=samples.CHECKPOINT))
    recording.answer("LiftFreeze", answer)

    result = chenu("unfreeze", "f001")

    assert recording.calls("LiftFreeze")[0].freeze_id == FREEZE
    assert "People must agree" in result.stdout


def test_freezes_are_listed(chenu: Chenu, recording: Recording) -> None:
    recording.answer("ListFreezes", ListFreezesResponse(freezes=[a_freeze("KIND", "send")]))

    assert "send" in chenu("freezes").stdout
    recording.answer("ListFreezes", ListFreezesResponse())
    assert "Nothing is frozen." in chenu("freezes").stdout
