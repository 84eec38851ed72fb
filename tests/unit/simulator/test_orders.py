"""What the simulator takes for an order, and which tool it plans for it."""

import time
from typing import Any

import pytest

from tests.support.model_requests import (
    THREAD_ID,
    actions,
    append,
    archive,
    delete,
    export,
    finishes,
    plan_of,
    request_of,
    send,
    share,
    transfer,
    unshare,
)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ('Append "Buy milk" to the Groceries thread', append("Groceries", "Buy milk")),
        ("add milk and eggs to the thread Groceries", append("Groceries", "milk and eggs")),
        ("Add a note to Groceries: buy milk", append("Groceries", "buy milk")),
        ("Note in the thread Budget that rent is due", append("Budget", "rent is due")),
        ("append hello to Moving in June", append("Moving in June", "hello")),
        ('Post "hi" to the thread Kitchen', append("Kitchen", "hi")),
        ('append "first\nsecond" to Log', append("Log", "first\nsecond")),
        ("Ajoute « acheter du pain » au fil Courses", append("Courses", "acheter du pain")),
        ("Ajoute une note au fil Courses : du pain", append("Courses", "du pain")),
        ("Archive the thread Kitchen renovation.", archive("Kitchen renovation")),
        ("please archive Kitchen", archive("Kitchen")),
        ("archive The Kitchen", archive("The Kitchen")),
        ("Peux-tu archiver le fil « Cuisine » ?", archive("Cuisine")),
        ('Export the thread "Old plans"', export("Old plans")),
        ("Peux-tu exporter le fil Cuisine ?", export("Cuisine")),
        ('Share the thread "Lease" with my identity "Shop"', share("Lease", "Shop")),
        ("could you share Lease with my Shop identity?", share("Lease", "Shop")),
        ("Share Working with Bob with the identity called Shop", share("Working with Bob", "Shop")),
        ("Partage le fil « Bail » avec mon identité « Boutique »", share("Bail", "Boutique")),
        ("Peux-tu partager le fil Bail avec l'identité Boutique ?", share("Bail", "Boutique")),
        ('Stop sharing the thread "Lease" with my identity Shop', unshare("Lease", "Shop")),
        ("Unshare Lease from my identity Shop", unshare("Lease", "Shop")),
        ("Don't share Lease with my identity Shop any more", unshare("Lease", "Shop")),
        ("Arrête de partager le fil Bail avec mon identité Boutique", unshare("Bail", "Boutique")),
        ("Ne partage plus le fil Bail avec mon identité Boutique", unshare("Bail", "Boutique")),
        ("Retire le partage du fil Bail à mon identité Boutique", unshare("Bail", "Boutique")),
        ('Delete the thread "Old plans"', delete("Old plans")),
        ("delete the Old plans thread please", delete("Old plans")),
        (f"Remove thread {THREAD_ID}", delete(THREAD_ID)),
        ("Could you delete the thread called Garage?", delete("Garage")),
        ("I want to delete the thread 'Garage'", delete("Garage")),
        ("delete the first thread", delete("the first thread")),
        ("Supprime le fil Vieux projets", delete("Vieux projets")),
        ("Je voudrais supprimer le fil Vieux projets", delete("Vieux projets")),
        ("Transfer the thread Budget to the business sphere", transfer("Budget", "business")),
        ('Move "Budget" to my team', transfer("Budget", "my_team")),
        ("Move Budget to the garden sphere", transfer("Budget", "garden")),
        ("Transfère le fil Budget vers la sphère créative", transfer("Budget", "creative_studio")),
        ('Send {"event": "deploy", "n": {"a": 3}} to the ops endpoint',
         send("ops", {"event": "deploy", "n": {"a": 3}})),
        ('send "hello world" to endpoint ops', send("ops", "hello world")),
        ("Notify ops that the build is green", send("ops", "the build is green")),
        ("Send a webhook to ops saying all is well", send("ops", "all is well")),
        ("Post a message to https://example.com/x saying hi", send("https://example.com/x", "hi")),
        ("Ping the ops webhook", send("ops", "Ping the ops webhook")),
        ("Envoie « bonjour » au point d'accès ops", send("ops", "bonjour")),
        ("Préviens ops que tout va bien", send("ops", "tout va bien")),
    ],
)  # fmt: skip
def test_one_order_is_one_tool_and_the_whole_plan(
    words: str, expected: tuple[str, dict[str, Any]]
) -> None:
    planned = plan_of(request_of(words))
    assert actions(planned) == [expected]
    assert finishes(planned)
    assert planned.text


@pytest.mark.parametrize(
    ("words", "title", "sphere", "intent"),
    [
        ('Create a thread called "Kitchen"', "Kitchen", "personal",
         'Create a thread called "Kitchen"'),
        ("create a new business thread named Budget 2027 to follow what we spend",
         "Budget 2027", "business", "follow what we spend"),
        ("Start a thread about our garden in the community sphere", "our garden", "community",
         "Start a thread about our garden in the community sphere"),
        ("create a thread and call it Garden with the founding intent to grow food",
         "Garden", "personal", "grow food"),
        ("Crée un fil intitulé « Cuisine » dans la sphère professionnelle pour suivre les travaux",
         "Cuisine", "business", "suivre les travaux"),
        ("Create a thread", "New thread", "personal", "Create a thread"),
        ("Ouvre un fil", "Nouveau fil", "personal", "Ouvre un fil"),
    ],
)  # fmt: skip
def test_a_thread_is_created_with_title_sphere_and_intent(
    words: str, title: str, sphere: str, intent: str
) -> None:
    [(tool, arguments)] = actions(plan_of(request_of(words)))
    assert tool == "thread_create"
    assert arguments == {"title": title, "sphere": sphere, "founding_intent": intent}


@pytest.mark.parametrize(
    "words",
    [
        "What is the capital of France?",
        "How do I delete a thread?",
        "Should I archive the Garage thread?",
        "What happens when I delete a thread, and then archive it?",
        "Is it wise to send this to ops?",
        "Explain how to transfer a thread to business",
        "Don't delete the Garage thread",
        "Never send anything to ops.",
        "I deleted the thread Garage yesterday.",
        "Comment supprimer un fil ?",
        "Dois-je archiver le fil Cuisine ?",
        "Ne supprime pas le fil Cuisine",
        "Create a plan for dinner",
        "Tell me a joke",
        "remove the last line from the thread Budget",
        "Hello",
        "",
    ],
)
def test_what_orders_nothing_is_answered_in_words(words: str) -> None:
    planned = plan_of(request_of(words))
    assert planned.calls == ()
    assert planned.text


def test_several_orders_are_planned_in_the_order_of_the_words() -> None:
    planned = plan_of(
        request_of(
            'Create a thread called "Trip", append "Book it" to Notes and then delete Old plans.'
        )
    )
    assert [tool for tool, _ in actions(planned)] == [
        "thread_create",
        "thread_append",
        "thread_delete",
    ]
    assert actions(planned)[1:] == [append("Notes", "Book it"), delete("Old plans")]
    assert finishes(planned)
    assert "Book it" in planned.calls[-1].arguments["answer"]


def test_orders_in_french_are_planned_in_the_order_of_the_words() -> None:
    planned = plan_of(
        request_of(
            "Supprime le fil A, archive le fil B et ajoute « x » au fil C, puis préviens D : y"
        )
    )
    assert actions(planned) == [delete("A"), archive("B"), append("C", "x"), send("D", "y")]
    assert finishes(planned)
    assert planned.text.startswith("Je vais")
    assert planned.calls[-1].arguments["answer"].startswith("Fait")


def test_a_refusal_within_orders_is_kept() -> None:
    planned = plan_of(request_of("Archive Kitchen but don't delete Garage and archive Attic"))
    assert actions(planned) == [archive("Kitchen"), archive("Attic")]


def test_verbs_in_quotations_and_payloads_order_nothing() -> None:
    planned = plan_of(request_of('Append "then delete Old plans; archive all" to "delete Log"'))
    assert actions(planned) == [append("delete Log", "then delete Old plans; archive all")]
    planned = plan_of(request_of('Send {"do": "and delete the thread A"} to ops'))
    assert actions(planned) == [send("ops", {"do": "and delete the thread A"})]


def test_quoted_titles_in_a_list_are_each_meant() -> None:
    assert actions(plan_of(request_of('Delete "A", "B" and "C"'))) == [
        delete("A"),
        delete("B"),
        delete("C"),
    ]


def test_this_thread_is_the_one_that_the_person_is_in() -> None:
    context = {"current_thread": THREAD_ID, "threads": [{"id": THREAD_ID, "sphere": "scholar"}]}
    assert actions(plan_of(request_of("Archive this thread", context))) == [archive(THREAD_ID)]
    assert actions(plan_of(request_of("delete it", context))) == [delete(THREAD_ID)]
    [(_, arguments)] = actions(plan_of(request_of("Create a thread called X", context)))
    assert arguments["sphere"] == "scholar"


def test_without_a_thread_around_the_words_stay_as_they_are() -> None:
    assert actions(plan_of(request_of("Archive this thread"))) == [archive("this thread")]


def test_it_is_the_thread_spoken_of_before() -> None:
    planned = plan_of(request_of('Append "x" to Log and then archive it'))
    assert actions(planned) == [append("Log", "x"), archive("Log")]
    planned = plan_of(request_of('Append "x" to Log, send "y" to ops, then archive it'))
    assert actions(planned) == [append("Log", "x"), send("ops", "y"), archive("Log")]


def test_arguments_take_the_names_and_types_of_the_tools_schema() -> None:
    content = {"thread": {"type": "string"}, "content": {"type": "string"}}
    planned = plan_of(request_of('Append "x" to Log'), thread_append=content)
    assert actions(planned) == [("thread_append", {"thread": "Log", "content": "x"})]
    for type_, words, payload in (
        ("object", '"x"', {"text": "x"}),
        ("object", '{"a": 1}', {"a": 1}),
        ("string", '{"a": 1}', '{"a": 1}'),
        (["object", "string"], '{"a": 1}', {"a": 1}),
    ):
        ask = request_of(f"Send {words} to ops")
        planned = plan_of(ask, webhook_send={"payload": {"type": type_}})
        assert actions(planned) == [send("ops", payload)]
    planned = plan_of(request_of('Send "x" to ops'), webhook_send={"body": {"type": "string"}})
    assert actions(planned) == [("webhook_send", {"endpoint": "ops", "body": "x"})]


def test_a_request_without_words_is_answered() -> None:
    picture = {"type": "image", "source": {}}
    assert plan_of({"role": "user", "content": [picture]}).calls == ()


@pytest.mark.parametrize(
    "unit",
    [" ", "\n", "please ", "and ", "a.b", '"', "'a ", '{"a":', "to ", ", delete ", "le ", "!"],
)
def test_no_text_takes_long_to_read(unit: str) -> None:
    begun = time.thread_time()  # whatever else the machine does meanwhile
    for verb in ("", "delete ", "append ", "send ", "create a thread ", "search "):
        plan_of(request_of(verb + unit * (20_000 // len(unit))))
    assert time.thread_time() - begun < 20
