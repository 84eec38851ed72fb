from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest

from chenu_gate.action import Target
from chenu_gate.canonical_json import digest
from chenu_gate.permit import LIFETIME
from tests.support.governance import StandInGovernance
from tests.support.identity import Person
from tests.support.refusals import refused
from tests.support.threads import ThreadsClient, counts, planned

INVALID = grpc.StatusCode.INVALID_ARGUMENT
DENIED = grpc.StatusCode.PERMISSION_DENIED
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


BAD_PERMITS: dict[str, tuple[str, dict[str, Any]]] = {
    "expired": ("PERMIT_EXPIRED", {}),
    "for another executor": ("PERMIT_AUDIENCE", {"audience": "courier"}),
    "for other bytes": ("PERMIT_ACTION", {"action": "sha256:" + "0" * 64}),
    "for another tenant": ("PERMIT_IDENTITY", {"tenant": str(uuid4())}),
    "for another identity": ("PERMIT_IDENTITY", {"identity": str(uuid4())}),
    "for another person": ("PERMIT_IDENTITY", {"person": str(uuid4())}),
}


@pytest.mark.parametrize("permit", BAD_PERMITS)
async def test_a_permit_for_something_else_permits_nothing(
    client: ThreadsClient, person: Person, superuser: asyncpg.Connection, permit: str
) -> None:
    thread, action = await planned(client, person, "thread.delete")
    reason, changes = BAD_PERMITS[permit]
    if permit == "expired":
        changes = {"now": datetime.now(UTC) - 2 * LIFETIME}

    await refused(
        client.execute(person, action, client.governance.permit(action, **changes)),
        DENIED,
        reason,
    )
    assert await client.get(person, thread.thread_id) == thread
    assert (await counts(superuser, person))["executions"] == 0


async def test_one_changed_argument_makes_a_permit_worthless(
    client: ThreadsClient, person: Person
) -> None:
    thread, other = await client.found(person), await client.found(person)
    approved = client.action(person, "thread.delete", thread)
    altered = client.action(person, "thread.delete", other)

    await refused(
        client.execute(person, altered, client.governance.permit(approved)),
        DENIED,
        "PERMIT_ACTION",
    )


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "", "x" * 4097])
async def test_what_is_no_permit_permits_nothing(
    client: ThreadsClient, person: Person, token: str
) -> None:
    _, action = await planned(client, person, "thread.delete")
    forged = token or StandInGovernance().permit(action)  # by a key that nobody published
    refusal = (INVALID, "INVALID_REQUEST") if len(token) > 4096 else (DENIED, "PERMIT_INVALID")

    await refused(client.execute(person, action, forged), *refusal)


async def test_a_permit_of_somebody_elses_is_not_ones_own(
    client: ThreadsClient, person: Person
) -> None:
    victim = Person(tenant=person.tenant)
    action = client.action(victim, "thread.delete", await client.found(victim))
    permit = client.governance.permit(action)

    await refused(
        client.execute(victim, action, permit, metadata=client.identity.as_nova(person)),
        DENIED,
        "PERMIT_IDENTITY",
    )
    await refused(
        client.execute(
            victim, action, permit, metadata=client.identity.as_nova(victim, str(uuid4()))
        ),
        DENIED,
        "PERMIT_IDENTITY",
    )


async def test_a_delegation_without_novas_token_executes_nothing(
    client: ThreadsClient, person: Person
) -> None:
    _, action = await planned(client, person, "thread.delete")
    delegation = (("authorization", f"Bearer {client.identity.delegation(person)}"),)

    await refused(client.execute(person, action, metadata=delegation), DENIED, "CALLER_NOT_ALLOWED")


@pytest.mark.parametrize(
    ("lie", "code", "reason"),
    [
        ({"kind": "search"}, INVALID, "ACTION_INVALID"),
        ({"tool": "definition"}, PRECONDITION, "TOOL_CHANGED"),
        ({"tool": "name"}, grpc.StatusCode.UNIMPLEMENTED, "TOOL_UNKNOWN"),
        ({"arguments": {}}, INVALID, "ARGUMENTS_INVALID"),
        ({"targets": ()}, INVALID, "ARGUMENTS_INVALID"),
        ({"executor": "courier"}, DENIED, "PERMIT_AUDIENCE"),
    ],
)
async def test_an_action_that_lies_about_its_tool_is_not_done_whatever_it_is_permitted(
    client: ThreadsClient,
    person: Person,
    lie: dict[str, Any],
    code: grpc.StatusCode,
    reason: str,
) -> None:
    thread, action = await planned(client, person, "thread.delete")
    changed = {**lie}
    if "kind" in lie:
        changed["kind"] = type(action.kind)(lie["kind"])
    if "tool" in lie:
        other = {"definition": "sha256:" + "0" * 64, "name": "thread.rename"}[lie["tool"]]
        changed["tool"] = replace(action.tool, **{lie["tool"]: other})
    action = replace(action, **changed)
    permit = client.governance.permit(action, audience="threads")

    await refused(client.execute(person, action, permit), code, reason)
    assert await client.get(person, thread.thread_id) == thread


async def test_bytes_that_are_not_canonical_are_refused(
    client: ThreadsClient, person: Person
) -> None:
    _, action = await planned(client, person, "thread.delete")
    data = action.canonical() + b" "
    permit = client.governance.permit(action, action=digest(data))

    info = await refused(
        client.execute_bytes(data, permit, client.identity.as_nova(person)),
        INVALID,
        "ACTION_INVALID",
    )

    assert info.metadata["cause"] == "NOT_CANONICAL"


async def test_targets_beyond_the_named_thread_are_refused(
    client: ThreadsClient, person: Person
) -> None:
    _, action = await planned(client, person, "thread.delete")
    more = replace(action, targets=(*action.targets, Target("thread", str(uuid4()), "v1")))

    await refused(client.execute(person, more), INVALID, "ARGUMENTS_INVALID")


@pytest.mark.parametrize("tool", ["thread.create", "thread.transfer", "thread.search"])
async def test_a_sphere_that_governance_was_not_told_of_is_refused(
    client: ThreadsClient, person: Person, tool: str
) -> None:
    _, action = await planned(client, person, tool)
    lie = replace(
        action, arguments={**action.arguments, "sphere": "business"}, target_sphere="personal"
    )

    info = await refused(client.execute(person, lie), INVALID, "ACTION_INVALID")

    assert info.metadata["cause"] == "target_sphere"


async def test_a_transfer_that_lies_about_the_sphere_it_comes_from_is_refused(
    client: ThreadsClient, person: Person
) -> None:
    """What people are shown, and rules judge, is whence it goes."""
    thread, action = await planned(client, person, "thread.transfer")

    for sphere in ("", "business", action.target_sphere):
        lie = replace(action, source_sphere=sphere)
        await refused(client.execute(person, lie), PRECONDITION, "TARGET_CHANGED")

    assert await client.get(person, thread.thread_id) == thread


async def test_a_thread_is_not_founded_outside_of_the_spheres(
    client: ThreadsClient, person: Person
) -> None:
    _, action = await planned(client, person, "thread.create")

    for sphere in ("", "elsewhere"):
        await refused(
            client.execute(person, replace(action, target_sphere=sphere)),
            INVALID,
            "ACTION_INVALID",
        )
