from itertools import pairwise

import pytest

from services.nova.intent.entities import entities


def found(text: str, kind: str) -> list[str]:
    return [entity.value for entity in entities(text) if entity.type == kind]


@pytest.mark.parametrize(
    ("text", "kind", "values"),
    [
        ('Open "Budget 2025" and “Lease”', "title", ["Budget 2025", "Lease"]),
        ("Ouvre « Bail 2024 »", "title", ["Bail 2024"]),
        ("rename it to 'Plan B'", "title", ["Plan B"]),
        ("mail a.b+c@example.co.uk now", "email", ["a.b+c@example.co.uk"]),
        ("see https://example.com/a?b=1#c ok", "url", ["https://example.com/a?b=1#c"]),
        ("pay 300 € or $1,250.50", "amount", ["300 €", "$1,250.50"]),
        ("vire 1 250,50 euros", "amount", ["1 250,50 euros"]),
        ("on 12 May 2025 at 14:30", "date", ["12 May 2025", "14:30"]),
        ("le 3 février à 9h30, pas demain", "date", ["3 février", "9h30", "demain"]),
        ("by next Friday", "date", ["next Friday"]),
        ("due 2025-05-12", "date", ["2025-05-12"]),
        ("on Jan 5, not 5 Feb", "date", ["Jan 5", "5 Feb"]),
        ("après-demain ou la semaine prochaine", "date", ["après-demain", "semaine prochaine"]),
        ("Look at https://example.com/x.", "url", ["https://example.com/x"]),
        ("lunch with Dr. Lee and M. Petit", "person", ["Lee", "Petit"]),
        ("create a thread titled Rome Trip", "title", ["Rome Trip"]),
        ("delete thread 42", "thread", ["42"]),
        ("supprime le fil Budget", "thread", ["Budget"]),
        ("move it to the business sphere", "sphere", ["business"]),
        ("put it in my_team", "sphere", ["my_team"]),
        ("call webhook ops-alerts", "endpoint", ["ops-alerts"]),
        ("use the billing-v2 endpoint", "endpoint", ["billing-v2"]),
        ("tell Paul Dupont and Claire", "person", ["Paul Dupont", "Claire"]),
        (
            "run 0198c1a2-7d52-7b1e-8a11-1234567890ab",
            "id",
            ["0198c1a2-7d52-7b1e-8a11-1234567890ab"],
        ),
    ],
)
def test_what_is_named_is_found(text: str, kind: str, values: list[str]) -> None:
    assert found(text, kind) == values


def test_a_place_in_the_text_belongs_to_one_entity() -> None:
    places = [(e.start, e.end) for e in entities('Send "300 € to Paul on Monday" to a@b.co')]
    assert all(first[1] <= second[0] for first, second in pairwise(places))


def test_a_sphere_is_one_only_beside_the_word() -> None:
    assert found("the business is going well", "sphere") == []


def test_the_first_word_of_a_sentence_is_no_person() -> None:
    assert found("Zebras are nice. Giraffes too.", "person") == []
