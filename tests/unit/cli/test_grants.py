"""Standing grants, against recorded answers."""

from collections.abc import Callable

from typer.testing import Result

from chenu.governance.v1.checkpoint_pb2 import BlockedCheckpoint
from chenu.governance.v1.grant_pb2 import Grant, GrantTerms
from chenu.governance.v1.grant_service_pb2 import (
    CreateGrantResponse,
    ListGrantsResponse,
    RevokeGrantResponse,
)
from tests.unit.cli import samples
from tests.unit.cli.conftest import Recording

Chenu = Callable[..., Result]
GRANT = "01920000-0000-7000-8000-00000000aa01"


def test_a_grant_is_asked_for_with_its_bounds(chenu: Chenu, recording: Recording) -> None:
    answer = CreateGrantResponse()
    answer.verdict.checkpoint.CopyFrom(BlockedCheckpoint(checkpoint_id=samples.CHECKPOINT))
    recording.answer("CreateGrant", answer)

    result = chenu(
        "grants", "ask", "report.create", "--kind", "create", "--allow", "format=pdf",
        "--allow", "format=txt", "--at-most", "pages=10", "--anything", "title",
        "--total", "pages=30", "--uses", "5",
    )  # fmt: skip

    terms = recording.calls("CreateGrant")[0].terms
    assert [(one.argument, list(one.values)) for one in terms.constraints] == [
        ("format", ["pdf", "txt"]), ("pages", []), ("title", []),
    ]  # fmt: skip
    assert (terms.constraints[1].at_most, terms.constraints[2].anything) == (10, True)
    assert (terms.amount_argument, terms.total, terms.uses) == ("pages", 30, 5)
    assert "decide" in result.stdout


def test_bounds_that_cannot_be_read_are_wrong_usage(chenu: Chenu) -> None:
    for option in (("--allow", "pdf"), ("--at-most", "pages=ten"), ("--total", "=5")):
        assert chenu("grants", "ask", "x.y", "--kind", "create", *option).exit_code == 2


def test_grants_are_listed_and_revoked(chenu: Chenu, recording: Recording) -> None:
    grant = Grant(grant_id=GRANT, terms=GrantTerms(tool="report.create", uses=5), uses_left=2)
    recording.answer("ListGrants", ListGrantsResponse(grants=[grant]))
    recording.answer("RevokeGrant", RevokeGrantResponse(grant=grant))

    assert "2/5" in chenu("grants", "list").stdout
    assert chenu("grants", "revoke", "aa01").exit_code == 0
    assert recording.calls("RevokeGrant")[0].grant_id == GRANT
