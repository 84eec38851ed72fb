"""Nothing is done to what is not exactly one thing."""

from hypothesis import given
from hypothesis import strategies as st

from services.nova.targets import Candidate, Unresolved, question, resolve

BUDGET = Candidate("thread", "0190b6a0-0000-7000-8000-000000000001", "Budget 2026", "v1")
ANNEX = Candidate("thread", "0190b6a0-0000-7000-8000-000000000002", "Budget 2026 annex", "v1")
ART = Candidate("thread", "0190b6a0-0000-7000-8000-000000000003", "Quarterly", "v1")
HOOK = Candidate("endpoint", "0190b6a0-0000-7000-8000-000000000004", "Budget 2026", "v1")
KNOWN = [BUDGET, ANNEX, ART, HOOK]


def test_an_id_means_its_own_thing() -> None:
    assert resolve(ANNEX.id.upper(), "thread", KNOWN) == ANNEX


def test_an_exact_title_wins_over_titles_that_contain_it() -> None:
    assert resolve("budget  2026", "thread", KNOWN) == BUDGET


def test_a_part_of_exactly_one_title_is_enough() -> None:
    assert resolve("annex", "thread", KNOWN) == ANNEX


def test_a_part_of_a_word_is_not_a_part() -> None:
    assert isinstance(resolve("art", "thread", KNOWN), Unresolved)


def test_two_of_the_same_title_are_ambiguous() -> None:
    twin = Candidate("thread", "0190b6a0-0000-7000-8000-000000000009", "budget 2026", "v1")
    found = resolve("Budget 2026", "thread", [*KNOWN, twin])
    assert isinstance(found, Unresolved)
    assert len(found.candidates) == 2
    assert "could be 2 threads" in question([found])


def test_an_empty_reference_means_nothing() -> None:
    for reference in ("", "  ", "“”", "."):
        assert isinstance(resolve(reference, "thread", KNOWN), Unresolved)


def test_the_other_type_is_never_meant() -> None:
    assert resolve("Budget 2026", "endpoint", KNOWN) == HOOK


@given(st.text(), st.lists(st.sampled_from(KNOWN)))
def test_whatever_is_asked_one_candidate_or_a_question_comes_back(
    reference: str, known: list[Candidate]
) -> None:
    found = resolve(reference, "thread", known)
    if isinstance(found, Candidate):
        assert found in known
        assert found.type == "thread"
    else:
        assert "Nothing was done" in question([found])
        assert len(found.candidates) != 1


@given(st.permutations(KNOWN))
def test_the_order_of_what_is_known_does_not_matter(known: list[Candidate]) -> None:
    for reference in ("budget 2026", "annex", "Quarterly", "nothing"):
        assert resolve(reference, "thread", known) == resolve(reference, "thread", KNOWN)


def test_a_part_of_one_title_is_not_enough_where_more_titles_may_hold_it() -> None:
    others = [Candidate("thread", str(n), f"Quarterly {n}", "v1") for n in range(19)]
    modern, art = (Candidate("thread", t, t, "v1") for t in ("Modern art", "Art"))
    found = resolve("art", "thread", [*others, modern])
    assert isinstance(found, Unresolved)
    assert len(found.candidates) == 20
    assert resolve("art", "thread", [*others[1:], modern]) == modern
    assert resolve("art", "thread", [*others, modern, art]) == art
