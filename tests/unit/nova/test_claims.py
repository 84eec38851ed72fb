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
    ("answer", "kind"),
    [
        ("Deleted the thread.", "delete"),
        ("Le fil a bien été supprimé.", "delete"),
        ("I've already sent the email to Bob.", "send"),
        ("Your message has been successfully sent.", "send"),
        ("Je viens d'envoyer le message.", "send"),
        ("Done — the thread is gone.", "delete"),
        ("I went ahead and deleted it.", "delete"),
        ("Thread 4: deleted.", "delete"),
        ("The thread no longer exists.", "delete"),
        ("I have now published your article.", "publish"),
        ("Votre article est désormais en ligne.", "publish"),
        ("I moved the thread to business.", "transfer"),
        ("Le fil a été déplacé vers la sphère business.", "transfer"),
        ("I have paid the invoice of 300 €.", "payment"),
        ("Payment completed.", "payment"),
        ("La facture est payée.", "payment"),
        ("I bought the tickets for you.", "payment"),
        ("Bob has been reimbursed.", "payment"),
        ("I exported the thread as PDF.", "export"),
        ("L'export est terminé.", "export"),
        ("I emailed Ana.", "send"),
        ("Ana has been informed.", "send"),
        ("I replied to Jean that you agree.", "send"),
        ("J'ai répondu à Luc.", "send"),
        ("I told Paul.", "send"),
        ("J'ai effacé vos brouillons.", "delete"),
        ("Nous avons retiré le commentaire.", "delete"),
        ("Not only did I read it, I also deleted it.", "delete"),
        ("No problem, I have deleted it.", "delete"),
        ("The drafts were, as requested, deleted.", "delete"),
        ("Le fil « Rome » a été créé.", "create"),
        ("I added the paragraph to the note.", "update"),
        ("Le fil est archivé.", "update"),
        ("I renamed it to Rome.", "update"),
        ("Successfully notified the team.", "send"),
        ("I gave Bob access to the thread.", "configure"),
        ("J'ai donné accès à Bob.", "configure"),
        ("The thread has been shared with your second identity.", "configure"),
        ("Thread 4 and its notes have now been completely erased.", "delete"),
        ("Supprimé.", "delete"),
        ("Je l'ai supprimé.", "delete"),
        ("Your account is deleted.", "delete"),
        ("I messaged the group.", "send"),
        ("I wrote the summary and sent it to Bob.", "send"),
        ("Bob was notified.", "send"),
        ("Je l'ai envoyé à Ana.", "send"),
        ("Everything went well: the email has been delivered.", "send"),
        ("Posted it on the blog.", "publish"),
        ("I've just paid Durand.", "payment"),
        ("Le virement est fait.", "payment"),
        ("Moved to the business sphere.", "transfer"),
        ("I've shared the thread with Bob.", "configure"),
        ("Fil créé.", "create"),
        ("I have successfully deleted the thread.", "delete"),
        ("C'est envoyé.", "send"),
        ("I did not archive it; I deleted it.", "delete"),
        ("I've gone ahead and deleted thread 4.", "delete"),
    ],
)
def test_a_claim_is_found_without_subject_with_adverbs_and_in_any_clause(
    answer: str, kind: str
) -> None:
    assert unsupported(answer, []) == [kind]
    assert unsupported(answer, [kind]) == []


@pytest.mark.parametrize(
    "answer",
    [
        "I can delete the thread if you like.",
        "Would you like me to send it?",
        "The thread will be deleted after your approval.",
        "Nothing was deleted.",
        "The message was not sent.",
        "To delete the thread, a person has to approve it first.",
        "Voulez-vous que j'envoie le message ?",
        "Le fil n'a pas été supprimé.",
        "Le message n'a pas encore été envoyé.",
        "Proposed: delete the thread, then send a note to Bob.",
        "When the article is published, anyone can read it.",
        "You sent it yesterday; the note says so.",
        "The thread says that Ana sent the contract on Monday.",
        "The meeting was moved to Friday by Ana.",
        "Was it deleted?",
        "Le fil résume ce que Bob a publié.",
        "The draft is ready to be sent.",
        "It must be deleted by a person.",
        "Le brouillon est prêt à être envoyé.",
        "Voici le brouillon : « J'ai envoyé le colis hier. »",
        "Removing it is permanent.",
        "An export takes a minute.",
        "Paid invoices are listed below.",
        "It could not be published.",
        "I found no deleted thread.",
        "La facture n'est pas payée.",
        "Once you approve, I'll have it deleted.",
        "Your request has been sent to a person for approval.",
        "Let me know if I should send it.",
        "Do you want the thread removed?",
        "The checkpoint is pending; nothing happens until it is approved.",
        "In May, Bob paid Durand 300 €.",
        "I have prepared the message. It is not sent.",
        "The thread contains deleted messages.",
        "Aucun message n'a été envoyé.",
        "Dites-moi si le fil doit être supprimé.",
        "Le plan : supprimer le fil, puis prévenir Bob.",
        "L'envoi attend votre accord.",
        "The request to delete was rejected.",
        "This action requires approval before it is executed.",
        "No email was sent.",
        "The message has yet to be sent.",
        "Once approved, the message is sent to Bob.",
    ],
)
def test_an_offer_a_plan_or_a_report_of_others_claims_nothing(answer: str) -> None:
    assert unsupported(answer, []) == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("I removed the second paragraph.", "update"),
        ("I added a note about the lease.", "create"),
        ("I sent 200 € to Karim.", "payment"),
        ("I transferred 200 € to Karim.", "payment"),
        ("I posted your message.", "send"),
    ],
)
def test_a_deed_of_several_kinds_is_borne_out_by_any_of_them(answer: str, kind: str) -> None:
    assert unsupported(answer, []) != []
    assert unsupported(answer, [kind]) == []


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
