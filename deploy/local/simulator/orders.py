"""What a request orders, step by step, in English and French."""

import re
from itertools import islice
from typing import Final

from deploy.local.simulator.arguments import READERS, TELL, Order, Step
from deploy.local.simulator.wording import Masked, clauses, mask, splitter

MOST_STEPS: Final = 50
_FR: Final = r"(?:e|es|er|ez|ons|é)"
_VERBS: Final = {
    "thread_create": r"create|start|open(?! the)|make|begin|set up"
    rf"|(?:cré|démarr|commenc|lanc){_FR}|ouvr(?:e|es|ir|ez)(?! l[ea] )",
    "thread_search": rf"search|find(?! out)|look (?:for|up|through)|(?:re)?cherch{_FR}|trouv{_FR}",
    "thread_append": r"append|add|write|note|record|jot down|log|put"
    rf"|(?:ajout|not|consign){_FR}|écri(?:s|re|vez|ve)|inscri(?:s|re|vez)",
    "thread_archive": rf"archive|(?:archiv|class){_FR}",
    "thread_delete": r"delete|remove|erase|destroy|trash|get rid of"
    rf"|(?:supprim|effac){_FR}|détrui(?:s|re|sez|se)",
    "thread_transfer": rf"transfer|move|(?:transf[éè]r|déplac){_FR}",
    "thread_export": rf"export|download|(?:export|télécharg){_FR}",
    "thread_share": rf"share|partag{_FR}(?! plus)",
    "thread_unshare": r"unshare|(?:stop|cease|end) sharing|no longer share"
    r"|(?:do not|don['’]t) share(?=.*\bany ?(?:more|longer)\b)"
    rf"|(?:arrêt|cess){_FR} de partager|ne partag{_FR} plus|retir{_FR} le partage(?: du| de la)?",
    "webhook_send": r"send|notify|ping|call(?! it)|trigger|push|post|publish|deliver"
    rf"|envo(?:ie|ies|yer|yez)|(?:notifi|post|publi|appell){_FR}|transmet(?:s|tre|tez)"
    r"|prév(?:enir|enez|iens)",
    TELL: r"summari[sz]e|list|show|tell|count|report|describe|read|give|say|answer"
    rf"|(?:résum|list|montr|compt|affich|donn){_FR}|di(?:s|re|tes)|lis|lire",
}
_CLITIC: Final = r"(?:-(?P<after>le|la|les)|-(?:moi|nous))?"
_BEFORE: Final = r"(?P<before>les? |la |y |l['’])?"
_VERB_FIRST: Final = [
    (tool, re.compile(rf"{_BEFORE}(?:{verbs}){_CLITIC}(?!\w)\s*", re.IGNORECASE))
    for tool, verbs in _VERBS.items()
]
_BETWEEN: Final = splitter(rf"(?:les? |la |y |l['’])?(?:{'|'.join(_VERBS.values())})(?!\w)")


def steps_of(request: str) -> list[Step]:
    """The request's orders in the order of its words; nothing for a question."""
    masked = mask(request)
    steps = (s for clause in clauses(masked.text, _BETWEEN) for s in _steps(clause, masked))
    return list(islice(steps, MOST_STEPS))


def _steps(clause: str, masked: Masked) -> list[Step]:
    for tool, pattern in _VERB_FIRST:
        if found := pattern.match(clause):
            clitic = found["before"] or found["after"] or ""
            words = f"{clitic.strip()} {clause[found.end() :]}".strip()
            if steps := list(READERS[tool](Order(words, clause, masked))):
                return steps
    return []
