"""Reads the tools' arguments from an order's words: what exactly, to whom, where."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from deploy.local.simulator.references import (
    NAMED,
    SPHERE,
    THREAD,
    Reference,
    bare_name,
    references,
    sphere_in,
)
from deploy.local.simulator.wording import MARK, Masked

TELL: Final = "tell"  # a step that takes no tool, only words
_FLAGS: Final = re.IGNORECASE | re.DOTALL

_TO: Final = r"(?:to|into|in|onto|on|under|at|à|au|aux|dans|vers|sur|chez)"
_SAYING: Final = (
    r"(?:\s*[:,]\s+|\s+(?:that says|that|saying|with(?: the)?(?: (?:payload|text|message|body))?"
    r"|disant(?: que)?|que|avec(?: le)?(?: (?:contenu|texte|message))?)(?::|\s)\s*)"
)
_NOTE: Final = (
    r"(?:(?:an?|the|une?|le|la|this|ce|cette)\s+)?"
    r"(?:note|message|comment|line|entry|text|remark|remarque|ligne|commentaire|texte)"
)
_CREATED: Final = re.compile(
    r"(?:(?:me|moi|us|nous|an?|the|another|one|une?|le|la|new|nouveau|nouvelle"
    rf"|{SPHERE})\s+)*{THREAD}\b(?P<rest>.*)",
    _FLAGS,
)
_INTENT: Final = re.compile(
    r"[\s,]+(?:(?:with|whose|avec|dont)\s+(?:(?:the|a|its|une|le|l['’])\s*)?(?:founding\s+)?"
    r"(?:intent(?:ion)?|purpose|goal|aim|but|objectif)(?:\s+(?:fondatrice|of|is|to|de|est))*\s*:?"
    r"|to|so that|because|in order to|pour|afin de|parce que)\s+(?P<intent>.+)",
    _FLAGS,
)
_PLACED: Final = re.compile(
    r"[\s,]+(?:in|into|under|dans|en)\s+(?:the\s+|my\s+|la\s+|ma\s+|mon\s+|le\s+)?"
    rf"(?:sph[eè]re\s+)?(?P<sphere>{SPHERE})(?:\s+sph[eè]re)?(?!\w)",
    re.IGNORECASE,
)
_ABOUT: Final = (
    r"(?:about|regarding|concerning|mentioning|containing|matching|sur|concernant|contenant"
    r"|mentionnant|(?:à propos|au sujet|parlant) (?=d)|à propos)"
)
_TOPIC: Final = r"\s*(?:(?:the|my|any|all|les?|la|mes|mon|ma|des?|du)\s+|[ld]['’])*(?P<topic>.+)"
_SPOKEN_OF: Final = re.compile(rf"\b{_ABOUT}{_TOPIC}", _FLAGS)
_SOUGHT: Final = re.compile(
    rf"\b(?:{_ABOUT}|(?:for|with|on|pour|avec)(?!.*\s(?:{_ABOUT}|on)\s)){_TOPIC}", _FLAGS
)
_TITLED: Final = re.compile(
    rf"^(?:{_ABOUT}|{NAMED}|(?:and\s+)?(?:call|name)\s+it)\s+", re.IGNORECASE
)
_DESTINATION: Final = re.compile(
    r"(?:the |my |our |le |la |l['’]|mon |ma )?"
    r"(?:(?:endpoint|webhook|hook|url|point d['’]accès)\s+)?"
    rf"(?:{NAMED}\s+)?(?P<name>.+?)(?:\s+(?:endpoint|webhook|hook))?",
    re.IGNORECASE,
)
_TEXT: Final = rf"(?:{_NOTE}(?:{_SAYING}|\s+)(?={MARK}|.*\s{_TO}\s))?(?P<text>{MARK}|.+)\s+"
_APPENDED: Final = [
    re.compile(form, _FLAGS)
    for form in (
        rf"(?:{_NOTE}\s+)?{_TO}\s+(?P<thread>.+?){_SAYING}(?P<text>.+)",
        # The last plain `to` divides, before any `in` or `on`, which titles hold more often.
        rf"{_TEXT}(?:to|into|onto|à|au|aux|dans)\s+(?P<thread>.+)",
        rf"{_TEXT}{_TO}\s+(?P<thread>.+)",
    )
]
_TRANSFERRED: Final = re.compile(
    r"(?P<thread>.+)\s+(?:to|into|in|vers|dans|à|au)\s+(?P<sphere>.+)", _FLAGS
)
_SHARED: Final = re.compile(
    r"(?P<thread>.+)\s+(?:with|from|avec|à)\s+(?P<identity>.+?)(?:\s+(?:any ?more|any longer))?",
    _FLAGS,
)
_IDENTITY: Final = re.compile(
    r"(?:(?:my|our|the|mon|notre)\s+|l['’])?(?:(?:other|autre)\s+)?(?:(?:identity|identité)\s+)?"
    rf"(?:{NAMED}\s+)?(?P<name>.+?)(?:\s+identity)?",
    _FLAGS,
)
_EVENT: Final = (
    r"(?:(?:an?|the|une?|le|la)\s+)?"
    r"(?:webhook|message|note|notification|payload|event|text|texte)"
)
_SENT: Final = [
    re.compile(form, _FLAGS)
    for form in (
        rf"(?:{_EVENT}\s+)?{_TO}\s+(?P<to>.+?){_SAYING}(?P<payload>.+)",
        rf"(?:{_EVENT}(?:{_SAYING}|\s+)(?=.*\s{_TO}\s))?(?P<payload>{MARK}|.+)\s+{_TO}\s+(?P<to>.+)",
        rf"(?P<to>.+?){_SAYING}(?P<payload>.+)",
        r"(?P<to>.+)(?P<payload>)",
    )
]
_TO_A_THREAD: Final = re.compile(rf"\b{_TO}\s+(?:\w+\s+)?{THREAD}\b", re.IGNORECASE)

_PART_OF_A_THREAD: Final = re.compile(
    rf"\s(?:from|dans|du)\s+(?:(?:the|my|le|la|mon|ma)\s+)?{THREAD}\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Order:
    """A clause in the imperative: its words after the verb, all of it, and what is quoted."""

    words: str
    clause: str
    masked: Masked


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: a tool (or TELL), its arguments, and the thread it is done to."""

    tool: str
    arguments: dict[str, Any]
    thread: Reference | None = None


def topic_of(words: str) -> str:
    """What the threads are about: the taxes in `every thread about taxes`."""
    found = _SPOKEN_OF.search(words)
    return found["topic"].strip(" ,:") if found else ""


def _create(order: Order) -> Iterator[Step]:
    found = _CREATED.match(order.words)
    if not found:
        return
    rest = found["rest"]
    sphere = sphere_in(re.sub(THREAD, "", order.words[: found.start("rest")], flags=re.IGNORECASE))
    if placed := _PLACED.search(rest):
        sphere = sphere_in(placed["sphere"])
        rest = rest[: placed.start()] + rest[placed.end() :]
    intent = order.masked.written(order.clause)
    if meant := _INTENT.search(rest):
        intent, rest = order.masked.open(meant["intent"]).strip(), rest[: meant.start()]
    words = rest.strip(" ,:")
    for title in order.masked.values(words) or [_TITLED.sub("", words, count=1).strip()]:
        arguments = {"title": str(title), "sphere": sphere, "founding_intent": intent}
        yield Step("thread_create", arguments)


def _search(order: Order) -> Iterator[Step]:
    found = _SOUGHT.search(order.words)
    query = found["topic"] if found else re.sub(rf"^(?:\w+ )?{THREAD}\s*", "", order.words)
    if quoted := order.masked.values(query) or order.masked.values(order.words):
        query = str(quoted[0])
    if query := query.strip(" ,:"):
        yield Step("thread_search", {"query": query})


def _append(order: Order) -> Iterator[Step]:
    words = re.sub(r"^y\s+(.+)", r"\1 à y", order.words)
    for form in _APPENDED:
        if found := form.fullmatch(words):
            text = order.masked.open(found["text"]).strip()
            for thread in references(found["thread"], order.masked):
                yield Step("thread_append", {"text": text}, thread)
            return


def _archive(order: Order) -> Iterator[Step]:
    for thread in references(order.words, order.masked):
        yield Step("thread_archive", {}, thread)


def _delete(order: Order) -> Iterator[Step]:
    if _PART_OF_A_THREAD.search(order.words):
        return  # no tool takes away a part
    for thread in references(order.words, order.masked):
        yield Step("thread_delete", {}, thread)


def _export(order: Order) -> Iterator[Step]:
    if _PART_OF_A_THREAD.search(order.words):
        return  # nor gives one away
    for thread in references(order.words, order.masked):
        yield Step("thread_export", {}, thread)


def _transfer(order: Order) -> Iterator[Step]:
    found = _TRANSFERRED.fullmatch(order.words)
    if not found:
        return
    said = re.sub(r"\b(?:the|la|le|my|ma|sph[eè]re)\b", "", order.masked.open(found["sphere"]))
    for thread in references(found["thread"], order.masked):
        sphere = sphere_in(found["sphere"]) or said.strip()
        yield Step("thread_transfer", {"sphere": sphere}, thread)


def _sharing(tool: str) -> Callable[[Order], Iterator[Step]]:
    def read(order: Order) -> Iterator[Step]:
        found = _SHARED.fullmatch(order.words)
        if not found or _PART_OF_A_THREAD.search(found["thread"]):
            return
        named = _IDENTITY.fullmatch(order.masked.open(found["identity"]).strip(" \t,.!?;:"))
        for thread in references(found["thread"], order.masked):
            yield Step(tool, {"identity": named["name"] if named else ""}, thread)

    return read


def _send(order: Order) -> Iterator[Step]:
    if _TO_A_THREAD.search(order.words):
        yield from _append(order)
        return
    for form in _SENT:
        if found := form.fullmatch(order.words):
            payload = _payload(found["payload"].strip(), order) or order.masked.open(order.clause)
            arguments = {"endpoint": _destination(found["to"], order), "payload": payload}
            yield Step("webhook_send", arguments)
            return


def _payload(words: str, order: Order) -> Any:
    objects = [value for value in order.masked.values(words) if isinstance(value, dict)]
    return objects[0] if objects else order.masked.open(words)


def _destination(words: str, order: Order) -> str:
    if quoted := order.masked.values(words):
        return str(quoted[0])
    words = words.strip(" \t,.!?;:")
    found = _DESTINATION.fullmatch(words)
    return bare_name(found["name"] if found else words)


def _tell(_: Order) -> Iterator[Step]:
    yield Step(TELL, {})


READERS: Final[dict[str, Callable[[Order], Iterator[Step]]]] = {
    "thread_create": _create,
    "thread_search": _search,
    "thread_append": _append,
    "thread_archive": _archive,
    "thread_delete": _delete,
    "thread_export": _export,
    "thread_transfer": _transfer,
    "thread_share": _sharing("thread_share"),
    "thread_unshare": _sharing("thread_unshare"),
    "webhook_send": _send,
    TELL: _tell,
}
