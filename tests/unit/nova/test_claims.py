"""An answer says nothing was done that no outcome supports, and no budget's figures."""

import pytest

from services.nova.claims import unsupported, without_budgets


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("I have deleted the thread.", "delete"),
        ("Done. The message was sent to Paul.", "send"),
        ("The files are now published.", "publish"),
        ("J'ai supprimé le fil.", "delete"),
        ("Le virement a été envoyé.", "send"),
        ("The thread has been moved to business.", "transfer"),
        ("I’ve paid the invoice.", "payment"),
    ],
)
def test_a_claim_without_an_outcome_is_found(answer: str, kind: str) -> None:
    assert kind in unsupported(answer, [])
    assert kind not in unsupported(answer, [kind])


@pytest.mark.parametrize(
    "answer",
    [
        "I have not deleted anything.",
        "Nothing was sent.",
        "I can delete it if you approve.",
        "Je n'ai pas supprimé le fil.",
        "Deleting is permanent.",
        "",
    ],
)
def test_what_claims_nothing_gets_no_notice(answer: str) -> None:
    assert unsupported(answer, []) == []


@pytest.mark.parametrize(
    "told",
    [
        "You have 9000 tokens left in your budget.",
        "There are 1,200 tokens remaining.",
        "Il vous reste un quota de jetons de 500.",
        "Your token budget is 10000.",
    ],
)
def test_figures_of_a_token_budget_are_taken_out(told: str) -> None:
    assert without_budgets(f"Here it is. {told} Goodbye.").replace("  ", " ") == (
        "Here it is. Goodbye."
    )


@pytest.mark.parametrize(
    "kept", ["The budget for the party is 300 €.", "It has 12 tokens of gold."]
)
def test_other_budgets_and_tokens_stay(kept: str) -> None:
    assert without_budgets(kept) == kept
