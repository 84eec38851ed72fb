"""What is sown: a few weeks of somebody's life, in English and French."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Sown:
    """A thread with what was said in it."""

    title: str
    intent: str
    sphere: str
    kind: str
    tags: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    archived: bool = False


THREADS: Final = (
    Sown(
        "Taxes 2026",
        "File on time, with every receipt that counts",
        "personal",
        "project",
        ("money", "deadline"),
        (
            "The form for the home office changed this year; check page 3.",
            "Receipts of January to March are scanned.",
            "The bank sends the interest statement in February.",
        ),
    ),
    Sown(
        "Rénovation de la cuisine",
        "Refaire la cuisine avant l’été sans dépasser le budget",
        "personal",
        "project",
        ("maison", "travaux"),
        (
            "Trois devis reçus ; le plus cher compte la plomberie.",
            "Le carreleur est libre à partir du 12 mai.",
        ),
    ),
    Sown(
        "Offer for Dupont SA",
        "Win the maintenance contract for two years",
        "business",
        "decision",
        ("customer",),
        (
            "They asked for a price per site, not per hour.",
            "Legal wants the liability clause shortened.",
            "Decision on Friday; Marc has the last word.",
        ),
    ),
    Sown(
        "Factures impayées",
        "Relancer les clients sans les fâcher",
        "business",
        "task",
        ("clients", "argent"),
        ("Deux factures ont plus de soixante jours : Martin et Lefèvre.",),
    ),
    Sown(
        "Album cover",
        "Find a cover that works as a thumbnail, too",
        "creative_studio",
        "conversation",
        ("design",),
        ("The second draft is too dark in print.", "Try it with the ochre of the first one."),
    ),
    Sown(
        "Nouvelle pour le concours",
        "Envoyer une nouvelle de dix pages avant la fin du mois",
        "creative_studio",
        "project",
        ("écriture",),
        ("Le personnage du gardien prend trop de place.",),
    ),
    Sown(
        "Thesis: chapter on consent",
        "Say what silence can and cannot mean",
        "scholar",
        "project",
        ("writing",),
        (
            "Compare opt-in and opt-out in the three studies.",
            "The committee meets on the third Monday.",
        ),
    ),
    Sown(
        "Neighbourhood garden",
        "Get the empty lot planted by spring",
        "community",
        "meeting",
        ("volunteers",),
        ("Eleven people signed up for Saturday.", "The city lends us the tools."),
    ),
    Sown(
        "Permis de construire",
        "Obtenir l’autorisation pour l’abri de jardin",
        "government",
        "task",
        ("mairie",),
        ("Le dossier doit partir en trois exemplaires.",),
    ),
    Sown("Films to see", "Remember what friends recommended", "entertainment", "conversation"),
    Sown(
        "Sprint 14",
        "Ship the importer and nothing else",
        "my_team",
        "meeting",
        ("team",),
        ("Lea takes the parser, Tom the tests.", "The demo is on Thursday at ten."),
        archived=True,
    ),
    Sown("Old phone contract", "Cancel it before it renews", "personal", "task", ("money",)),
)

ENDPOINT: Final = ("Bookkeeping", "https://hooks.example.com/chenu")
AGENT: Final = "Paperwork agent"

# Requests that end by themselves.
FINISHED: Final = (
    "What are my threads about?",
    "Quels sont mes fils dans la sphère business ?",
    'Create a thread called "Dentist" to find an appointment before June',
    "Ajoute « Demander un acompte de 30 % » au fil « Factures impayées »",
    "Search my threads for receipts",
)
# Requests that a person decides on at once: text, approve or not, comment.
DECIDED: Final = (
    ('Transfer the thread "Dentist" to my team', False, "It is nobody's business at work"),
    ('Delete the thread "Old phone contract"', True, "Cancelled in April"),
)
# Requests that are left waiting.
WAITING: Final = (
    'Delete the thread "Films to see"',
    "Supprime le fil « Permis de construire »",
    'Transfer the thread "Album cover" to business',
    'Send {"event": "invoices.overdue", "count": 2} to the endpoint "Bookkeeping"',
)
