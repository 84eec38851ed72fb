"""Lane A: what a request asks for, and whether a person may have to approve it."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from services.nova.intent.entities import entities
from services.nova.intent.events import events, language_of
from services.nova.intent.intent import GATED_KINDS, UNKNOWN, Entity, Intent
from services.nova.intent.keywords import keywords, urgency
from services.nova.intent.moods import ASK, READ, REQUEST, placed
from services.nova.intent.normalisation import readable
from services.nova.intent.tokens import Sentence, Token, sentences
from services.nova.intent.uses import Reading

_READ_AT_MOST: Final = 8_000  # characters; nobody can call harmless what was not read
# Keys under which the caller's data may say itself what is to be done.
_DECLARING_KEYS: Final = ("kind", "action", "intent", "operation", "command")


class Finding(NamedTuple):
    """A kind of action that the text asks for, or has an excuse for naming."""

    kind: str
    words: str
    excuse: str = ""
    noun: bool = False  # a noun for the action: the payment, the rights
    clause: tuple[int, int] = (0, 0)


class Findings(NamedTuple):
    """All that was found in a text, in its order."""

    dangerous: list[Finding]
    harmless: list[Finding]
    asks: bool
    tampers: bool


def classify(text: str, data: Mapping[str, object] | None = None) -> Intent:
    """What the text asks for; what may be dangerous is said to be."""
    shown = readable(text[:_READ_AT_MOST])
    parts, complete = sentences(shown[: 2 * _READ_AT_MOST])
    complete = complete and len(text) <= _READ_AT_MOST and len(shown) <= 2 * _READ_AT_MOST
    language = language_of([token for part in parts for token in part.tokens])
    found = _findings(parts, language)
    if not complete:
        found.dangerous.append(Finding(UNKNOWN, "the rest, which is not read"))
    declared = _declared(data or {})
    named = entities(text[:_READ_AT_MOST])
    commands = [f for f in found.dangerous if found.tampers or not f.excuse]
    kinds = _kinds(declared, commands, found)
    gated = bool(commands) or any(kind in GATED_KINDS for kind in declared)
    return Intent(
        kind=kinds[0],
        confidence=_confidence(kinds[0], found, commands, named),
        requires_checkpoint=gated,
        entities=named,
        keywords=keywords(parts),
        urgency=urgency(parts),
        language=language,
        is_question=found.asks and not commands,
        secondary_kinds=tuple(kinds[1:]),
        reasoning=_reasoning(kinds[0], found, commands, declared),
    )


def _declared(data: Mapping[str, object]) -> list[str]:
    """Kinds that the data names outright; anything else in it is content, not a request."""
    said = [data[key] for key in _DECLARING_KEYS if key in data]
    found: list[str] = []
    for value in said:
        if isinstance(value, str):
            inner = classify(value)
            if inner.requires_checkpoint and inner.kind not in found:
                found.append(inner.kind if inner.kind in GATED_KINDS else "execute")
    return found


def _findings(parts: list[Sentence], language: str) -> Findings:
    dangerous: list[Finding] = []
    harmless: list[Finding] = []
    asks = tampers = noted = False
    for number, part in enumerate(parts):
        spoken = language_of(part.tokens, language)
        spoken = "en" if spoken == "und" else spoken
        found = events(part.tokens, spoken)
        places = placed(part, found, noted=noted)
        noted = part.end == ":" and found[-1].what == "note"
        reading = Reading(part, places)
        for index, place in enumerate(places):
            event = place.event
            tampers = tampers or event.what == "tampering"
            asks = asks or place.mood == ASK or part.asks
            words = " ".join(token.word for token in part.tokens[event.start : event.end])
            clause = (number, place.clause)
            if place.strange:
                dangerous.append(Finding(UNKNOWN, words, clause=clause))
            if event.what == "danger":
                kind = _paid(event.kind, part.tokens, event.end)
                excuse = reading.excuse(index)
                dangerous.append(Finding(kind, words, excuse, event.noun_acts, clause))
            elif event.what in {"read", "work", "note"} and event.kind:
                harmless.append(Finding(event.kind, words, clause=clause))
            elif event.what == "mood" and event.kind.startswith("ask"):
                harmless.append(Finding("query", words, clause=clause))
            elif event.reading and place.mood in {REQUEST, READ}:
                harmless.append(Finding(event.kind or "query", words, noun=True, clause=clause))
    return Findings(dangerous, harmless, asks, tampers)


def _paid(kind: str, tokens: list[Token], after: int) -> str:
    """Money that is sent or moved is paid; French "virer" without any is to throw out."""
    money = any(token.kind == "amount" for token in tokens[after : after + 8])
    return "payment" if money and kind in {"send", "transfer", "delete"} else kind


def _kinds(declared: list[str], commands: list[Finding], found: Findings) -> list[str]:
    verbs = {finding.clause for finding in commands if not finding.noun}
    vague = {"execute", UNKNOWN}
    ordered = sorted(commands, key=lambda f: (f.noun and f.clause in verbs, f.kind in vague))
    asked = [_precise(finding, commands) for finding in ordered]
    read = [_precise(finding, found.harmless) for finding in found.harmless]
    kinds = list(dict.fromkeys([*declared, *asked, *read]))
    return kinds or ["query" if found.asks else UNKNOWN]


def _precise(finding: Finding, others: list[Finding]) -> str:
    """The verb's kind, unless its noun says it better: approve a payment, give me a summary."""
    nouns = [other for other in others if other.noun and other.clause == finding.clause]
    if finding.noun or not nouns:
        return finding.kind
    if any(noun.kind == "configure" for noun in nouns) and finding.kind in {"delete", "transfer"}:
        return "configure"
    if finding.kind == "query":
        return nouns[0].kind
    confirmed = finding.kind == "execute" and nouns[0].kind == "payment"
    return nouns[0].kind if confirmed else finding.kind


def _confidence(
    kind: str, found: Findings, commands: list[Finding], named: tuple[Entity, ...]
) -> int:
    return 300


def _reasoning(kind: str, found: Findings, commands: list[Finding], declared: list[str]) -> str:
    if declared:
        return f"the data declares {declared[0]}"
    return "; ".join(f"{f.words}: {f.excuse or 'asked for'}" for f in found.dangerous[:6]) or kind


def debug(text):
    all_ = sentences(readable(text))
    lang = language_of([t for s in all_ for t in s.tokens])
    for s in all_:
        l = language_of(s.tokens, lang)
        l = l if l != "und" else "en"
        ev = events(s.tokens, l)
        pl = placed(s, ev)
        r = Reading(s, pl)
        print("--", l, s.end)
        for i, p in enumerate(pl):
            e = p.event
            print(
                "  ",
                " ".join(t.word for t in s.tokens[e.start : e.end]),
                "|",
                e.what,
                e.kind,
                e.forms,
                "|",
                p.mood,
                "H" if p.head else "",
                "A" if p.awaited else "",
                "D" if p.denied else "",
                "=>" + (r.excuse(i) or "COMMAND") if e.what == "danger" else "",
            )
