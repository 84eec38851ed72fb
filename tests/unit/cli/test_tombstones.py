"""Rejections that hold, against recorded answers."""

from collections.abc import Callable

from typer.testing import Result

from chenu.governance.v1.tombstone_pb2 import Tombstone
from chenu.governance.v1.tombstone_service_pb2 import LiftTombstoneResponse, ListTombstonesResponse
from tests.unit.cli import samples
from tests.unit.cli.conftest import Recording

Chenu = Callable[..., Result]


def test_rejections_that_hold_are_listed_and_lifted(chenu: Chenu, recording: Recording) -> None:
    one = Tombstone(checkpoint_id=samples.CHECKPOINT, tool="thread.delete")
    recording.answer("ListTombstones", ListTombstonesResponse(tombstones=[one]))
    recording.answer("LiftTombstone", LiftTombstoneResponse())

    assert "thread.delete" in chenu("tombstones", "list").stdout
    assert "may be asked again" in chenu("tombstones", "lift", "c001").stdout
    assert recording.calls("LiftTombstone")[0].checkpoint_id == samples.CHECKPOINT
    recording.answer("ListTombstones", ListTombstonesResponse())
    assert "No rejection holds now." in chenu("tombstones", "list").stdout
