"""Lane A: what a request asks for, and whether a person may have to approve it."""

from collections.abc import Mapping
from typing import Final

from services.nova.intent.entities import entities
from services.nova.intent.events import language_of
from services.nova.intent.findings import Finding, Findings, gather
from services.nova.intent.intent import UNKNOWN, Entity, Intent
from services.nova.intent.keywords import keywords, urgency
from services.nova.intent.normalisation import readable
from services.nova.intent.tokens import Sentence, sentences

_READ_AT_MOST: Final = 8_000  # characters; nobody can call harmless what was not read
# Keys under which the caller's data may say itself what is to be done.
_DECLARING_KEYS: Final = ("kind", "action", "intent", "operation", "command")
# Entities that bear out a kind: an amount makes a payment likelier.
_FITTING: Final = {
    "payment": {"amount"},
    "send": {"email", "person", "endpoint"},
    "publish": {"title", "url"},
    "transfer": {"sphere"},
    "delete": {"thread", "title", "id"},
    "create": {"title"},
    "update": {"title", "thread", "date"},
    "summarize": {"thread", "title", "date"},
    "search": {"title", "person", "date", "amount"},
}
_FULL: Final = 1000  # per mille
_NONE: Final = 300
_GARBAGE: Final = 100
_EACH_OTHER: Final = 100  # taken off for each other kind that is asked for too


def classify(text: str, data: Mapping[str, object] | None = None) -> Intent:
    """What the text asks for; what may be dangerous is said to be."""
    parts, complete = _parts(text)
    language = language_of([token for part in parts for token in part.tokens])
    found = gather(parts, language)
    if not complete:
        found.dangerous.append(Finding(UNKNOWN, "the rest, which is not read"))
    declared = _declared(data or {})
    named = entities(text[:_READ_AT_MOST])
    commands = found.commands
    kinds = _kinds(declared, commands, found)
    return Intent(
        kind=kinds[0],
        confidence=_confidence(kinds, parts, found, named),
        requires_checkpoint=bool(commands or declared),
        entities=named,
        keywords=keywords(parts),
        urgency=urgency(parts),
        language=language,
        is_question=found.asks and not commands,
        secondary_kinds=tuple(kinds[1:]),
        reasoning=_reasoning(kinds[0], found, declared),
    )


def _parts(text: str) -> tuple[list[Sentence], bool]:
    shown = readable(text[:_READ_AT_MOST], 2 * _READ_AT_MOST)
    parts, complete = sentences(shown[: 2 * _READ_AT_MOST])
    return parts, complete and len(text) <= _READ_AT_MOST and len(shown) <= 2 * _READ_AT_MOST


def _declared(data: Mapping[str, object]) -> list[str]:
    """Gated kinds that the data names outright; anything else in it is content, not a request."""
    found: list[str] = []
    for key in _DECLARING_KEYS:
        value = data.get(key)
        if isinstance(value, str):
            parts, _ = _parts(value)
            commands = gather(parts, "en").commands
            found.extend(command.kind for command in commands)
    return list(dict.fromkeys(found))


def _kinds(declared: list[str], commands: list[Finding], found: Findings) -> list[str]:
    verbs = {finding.clause for finding in commands if not finding.noun}
    vague = {"execute", UNKNOWN}
    ordered = sorted(commands, key=lambda f: (f.noun and f.clause in verbs, f.kind in vague))
    asked = [_precise(finding, commands) for finding in ordered]
    read = [_precise(finding, found.harmless) for finding in found.harmless]
    if any(kind not in vague for kind in asked):
        asked = [kind for kind in asked if kind != UNKNOWN]
    kinds = list(dict.fromkeys([*declared, *asked, *read]))
    return kinds or ["query" if found.asks else UNKNOWN]


def _precise(finding: Finding, others: list[Finding]) -> str:
    """The verb's kind, unless its noun says it better: approve a payment, give me a summary."""
    nouns = [other for other in others if other.noun and other.clause == finding.clause]
    if finding.noun or not nouns:
        return finding.kind
    if any(noun.kind == "configure" for noun in nouns) and finding.kind in {"delete", "transfer"}:
        return "configure"
    if finding.kind in {"query", UNKNOWN}:
        return nouns[0].kind
    paid = finding.kind in {"execute", "publish"} and nouns[0].kind == "payment"
    return "payment" if paid else finding.kind


def _confidence(
    kinds: list[str], parts: list[Sentence], found: Findings, named: tuple[Entity, ...]
) -> int:
    """Pieces of evidence out of three; see README.md."""
    if kinds[0] == UNKNOWN:
        known = found.dangerous or found.harmless
        return _NONE if known else _GARBAGE * bool(parts)
    hits = {f.words for f in (*found.commands, *found.harmless) if f.kind == kinds[0]}
    fits = {entity.type for entity in named} & _FITTING.get(kinds[0], set())
    asked = kinds[0] == "query" and any(part.asks for part in parts)
    evidence = min(len(hits), 2) + bool(fits) + asked
    rivals = sum(kind != "query" for kind in kinds[1:])
    return max(_NONE, min(_FULL, _FULL * evidence // 3) - _EACH_OTHER * rivals)


def _reasoning(kind: str, found: Findings, declared: list[str]) -> str:
    said = [f"the data declares {name}" for name in declared]
    said += [f"“{f.words}” is {f.excuse or 'asked for'}" for f in found.dangerous]
    if found.tampers and found.dangerous:
        said.append("the text talks about how it is to be read, so nothing in it is excused")
    if not said:
        said = [f"“{f.words}” asks for {f.kind}" for f in found.harmless]
    return "; ".join(said[:8]) or f"nothing in it asks for anything: {kind}"
