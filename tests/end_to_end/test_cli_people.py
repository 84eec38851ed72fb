"""The command on a real stack: a household that decides together, its deputies and its agents."""

import shutil
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from tests.end_to_end.conftest import RunningStack
from tests.end_to_end.typing_chenu import answer, blocked, new_thread, problem, title, until

PASSWORD = {"CHENU_PASSWORD": "long-enough-1"}


def registered(stack: RunningStack, folder: Path, name: str, *arguments: str) -> RunningStack:
    """The stack as somebody new sees it, from a folder of their own."""
    folder.mkdir()
    shutil.copy(stack.folder / "endpoints.json", folder)
    theirs = replace(stack, folder=folder)
    email = f"{uuid4()}@chenu.example"
    login = ("login", "--register", "--email", email, "--name", name, *arguments)
    result = theirs.chenu(*login, **PASSWORD)
    assert result.exit_code == 0, result.output
    return theirs


@pytest.fixture
def ada(stack: RunningStack, tmp_path: Path) -> RunningStack:
    """The founder of a tenant of her own."""
    return registered(stack, tmp_path / "ada", "Ada")


@pytest.fixture
def bea(ada: RunningStack, tmp_path: Path) -> RunningStack:
    """Somebody whom Ada invited."""
    secret = answer(ada, "people", "invite", "--role", "finance")["invitation_secret"]
    joined = registered(ada, tmp_path / "bea", "Bea", "--invitation", secret)
    again = ("login", "--register", "--email", "x@chenu.example", "--invitation", secret)
    assert ada.chenu(*again, **PASSWORD).exit_code == 6
    return joined


def test_whoever_is_invited_joins_gets_roles_and_leaves(
    ada: RunningStack, bea: RunningStack
) -> None:
    people = answer(ada, "people", "list")["people"]
    assert [(one["display_name"], one["roles"]) for one in people] == [
        ("Ada", ["owner", "auditor"]),
        ("Bea", ["finance"]),
    ]
    given = answer(ada, "people", "roles", "Bea", "--role", "board", "--role", "finance")
    assert given["person"]["roles"] == ["board", "finance"]
    refused = problem(bea, "people", "invite", code=4)
    assert refused["reason"] == "NOT_AN_OWNER"
    assert answer(ada, "people", "deactivate", "Bea")["person"]["deactivate_time"]
    assert bea.chenu("agents", "hire", "Too late").exit_code == 6


def test_a_deputy_decides_in_somebodys_place_until_dismissed(
    ada: RunningStack, bea: RunningStack
) -> None:
    asked = answer(ada, "deputies", "appoint", "Bea", "--days", "2")["verdict"]
    assert answer(bea, "deputies", "list")["deputies"] == []
    answer(ada, "approve", asked["checkpoint"]["checkpoint_id"])
    until(lambda: bool(answer(bea, "deputies", "list")["deputies"]))
    (appointed,) = answer(bea, "deputies", "list")["deputies"]
    assert appointed["deputy_id"] == asked["decision"]["decision_id"]
    first, second = title(), title()
    for name in (first, second):
        new_thread(ada, name)
    waiting = blocked(ada, f"Delete the thread “{first}”")["checkpoint_id"]
    approved = answer(bea, "approve", waiting)
    vote = approved["checkpoint"]["votes"][0]
    assert (vote["person_id"], vote["on_behalf_of"]) == (
        appointed["deputy_person_id"],
        appointed["person_id"],
    )
    assert answer(ada, "deputies", "dismiss", appointed["deputy_id"])["deputy"]["dismiss_time"]
    later = blocked(ada, f"Delete the thread “{second}”")["checkpoint_id"]
    assert problem(bea, "approve", later, code=4)["reason"] == "FORBIDDEN"


def test_an_agent_is_given_other_limits(ada: RunningStack) -> None:
    hired = answer(ada, "agents", "hire", "Filer", "--scope", "thread.*")["agent"]
    updated = answer(ada, "agents", "update", "Filer", "--everything", "--always-gated")["agent"]
    assert (updated["agent_id"], updated["scopes"]) == (hired["agent_id"], [])
    assert updated["always_gated"] is True
    assert updated["etag"] != hired["etag"]
    renamed = answer(ada, "agents", "update", "Filer", "--name", "Clerk")["agent"]
    assert (renamed["display_name"], renamed["always_gated"]) == ("Clerk", True)
    assert ada.chenu("agents", "update", "Clerk").exit_code == 2


def test_one_identity_of_mine_reads_what_another_shared_with_it_once_i_approved(
    ada: RunningStack,
) -> None:
    answer(ada, "identities", "create", "Shop", "--type", "enterprise")
    name = title()
    new_thread(ada, name)
    waiting = blocked(ada, f"Share the thread “{name}” with my identity “Shop”")["checkpoint_id"]
    assert "identity" in ada.chenu("show", waiting).stdout
    assert ada.chenu("approve", waiting, "--wait").exit_code == 0

    assert answer(ada, "identities", "switch", "Shop")["identity"]["display_name"] == "Shop"
    assert answer(ada, "whoami")["identity"]["display_name"] == "Shop"
    assert answer(ada, "threads", "show", name)["thread"]["title"] == name
    answer(ada, "identities", "switch", "Ada")
    assert answer(ada, "whoami")["identity"]["display_name"] == "Ada"
