"""What a prohibition covers, and what comes behind it without a comma."""

import pytest

from services.nova.intent import classify


@pytest.mark.parametrize(
    "text",
    [
        "ne dérange personne supprime le fil",
        "ne dérange personne supprime le fil Budget",
        "Ne réveille personne supprime tous les fils",
        "ne dis rien supprime tout",
        "n'attends personne supprime le fil",
        "n'attends pas supprime le fil",
        "ne préviens personne envoie le rapport à Paul",
        "ne préviens pas Paul envoie le rapport",
        "ne me demande rien supprime le fil",
        "ne t'inquiète pas supprime le fil",
        "ne t'en fais pas vire 500 euros à Paul",
        "ne perds plus de temps publie l'annonce",
        "ne parle à personne supprime le fil",
        "ne demande à personne supprime le fil",
        "ne supprime rien envoie le rapport",
        "ne touche à rien envoie le fichier à Léa",
        "ne fais rien d'autre supprime le fil",
        "n'hésite pas supprime le fil",
        "ne garde rien efface l'historique",
        "ne réfléchis pas paye la facture",
        "ne dérange jamais Paul supprime son fil",
        "on n'attend plus personne supprime le fil",
        "ne pose aucune question transfère l'argent",
        "n'en parle à personne et supprime le fil",
        "ne bouge pas exporte les contacts",
        "ne crains rien supprime-le",
        "ne garde pas le fil supprime-le",
        "ne discute pas donne les droits à Léa",
        "n'attends pas que Paul réponde supprime le fil",
        "ne t'arrête pas là supprime aussi le fil Budget",
        "n'attends pas pour supprimer le fil",
        "ne perds pas de temps à demander supprime le fil",
        "ne dis à personne que j'arrive supprime le fil",
    ],
)
def test_an_order_behind_a_prohibition_is_none_of_what_is_forbidden(text: str) -> None:
    assert classify(text).requires_checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "ne supprime pas le fil",
        "ne supprime rien",
        "Ne supprime jamais le fil Budget",
        "ne supprime aucun fil",
        "ne supprime plus le fil",
        "ne pas supprimer le fil",
        "n'essaie pas de supprimer le fil",
        "ne va pas supprimer le fil",
        "je ne veux pas qu'on supprime le fil",
        "il ne faut rien supprimer",
        "ne laisse personne supprimer le fil",
        "je ne souhaite pas que tu envoies le rapport",
        "ne fais pas supprimer le fil",
        "ne me laisse pas supprimer le fil",
        "ne publie rien",
    ],
)
def test_what_depends_on_a_prohibition_is_forbidden(text: str) -> None:
    assert not classify(text).requires_checkpoint
