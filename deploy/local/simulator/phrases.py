"""What the simulator says, in English and French."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from deploy.local.simulator.conversation import Conversation, Result, threads_in
from deploy.local.simulator.plan import Call
from deploy.local.simulator.wording import in_french

# tool → what will be done, what was done; in English, in French.
_DEEDS: Final[Mapping[str, tuple[str, str, str, str]]] = {
    "thread_create": (
        "create the thread “{title}” in {sphere}",
        "created the thread “{title}” in {sphere}",
        "créer le fil « {title} » dans {sphere}",
        "fil « {title} » créé dans {sphere}",
    ),
    "thread_search": (
        "search the threads for “{query}”",
        "searched the threads for “{query}”",
        "chercher « {query} » dans les fils",
        "« {query} » cherché dans les fils",
    ),
    "thread_append": (
        "append “{text}” to “{thread}”",
        "appended “{text}” to “{thread}”",
        "ajouter « {text} » à « {thread} »",
        "« {text} » ajouté à « {thread} »",
    ),
    "thread_archive": (
        "archive the thread “{thread}”",
        "archived the thread “{thread}”",
        "archiver le fil « {thread} »",
        "fil « {thread} » archivé",
    ),
    "thread_delete": (
        "delete the thread “{thread}”",
        "deleted the thread “{thread}”",
        "supprimer le fil « {thread} »",
        "fil « {thread} » supprimé",
    ),
    "thread_transfer": (
        "transfer the thread “{thread}” to {sphere}",
        "transferred the thread “{thread}” to {sphere}",
        "transférer le fil « {thread} » vers {sphere}",
        "fil « {thread} » transféré vers {sphere}",
    ),
    "webhook_send": (
        "send {payload} to “{endpoint}”",
        "sent {payload} to “{endpoint}”",
        "envoyer {payload} à « {endpoint} »",
        "{payload} envoyé à « {endpoint} »",
    ),
}
_LONGEST: Final = 200


def intention(calls: Sequence[Call], last: bool, french: bool) -> str:
    """What is going to be done."""
    deeds = "; ".join(_deed(call.tool, call.arguments, 2 if french else 0) for call in calls)
    if french:
        return f"Je vais {deeds}{'' if last else ', puis regarder ce que cela donne'}."
    return f"I will {deeds}{'' if last else ', and then look at the results'}."


def report(results: Sequence[Result], calls: Sequence[Call], french: bool) -> str:
    """What each search found and what was done; the calls' deeds too, to be said once done."""
    lines = [_finding(result, french) for result in results if result.tool == "thread_search"]
    deeds = [
        _deed(tool, arguments, 3 if french else 1)
        for tool, arguments in (
            *((result.tool, result.arguments) for result in results),
            *((call.tool, call.arguments) for call in calls),
        )
        if tool in _DEEDS and tool != "thread_search"
    ]
    if deeds:
        lines.append(f"{'Fait :' if french else 'Done:'} {'; '.join(deeds)}.")
    return "\n".join(lines) or ("C’est fini." if french else "That is all.")


def nothing_meant(results: Sequence[Result], found: bool, french: bool) -> str:
    """Why the plan ends early: nothing was found, or too much to know which is meant."""
    if found:
        why = "Lequel voulez-vous dire ?" if french else "Which one do you mean?"
    else:
        why = "Je n’ai donc rien fait de plus." if french else "So there was nothing more to do."
    return f"{report(results, [], french)}\n{why}"


def failure(result: Result, french: bool) -> str:
    """What went wrong, in the tool's words."""
    why = _clipped(result.content if isinstance(result.content, str) else _json(result.content))
    if french:
        return f"{result.tool} n’a pas abouti : {why}. Je me suis arrêté là."
    return f"{result.tool} did not work: {why}. I stopped there."


def no_tool(tools: Sequence[str], french: bool) -> str:
    """Which tools it would have taken."""
    names = ", ".join(tools)
    return f"Il me faudrait pour cela : {names}." if french else f"I would need for that: {names}."


def answer(conversation: Conversation, french: bool) -> str:
    """An answer to what orders nothing. No model has read the question, and it says so."""
    threads = conversation.known("threads")
    asked = _clipped(conversation.request)
    if french:
        known = (
            f" Le contexte contient {len(threads)} fil(s) : {_titles(threads)}." if threads else ""
        )
        return f"Réponse simulée à « {asked} »." + known
    known = f" The context holds {len(threads)} thread(s): {_titles(threads)}." if threads else ""
    return f"A simulated answer to “{asked}”." + known


def untitled(request: str) -> str:
    """A title for a thread that was given none."""
    return "Nouveau fil" if in_french(request) else "New thread"


def _deed(tool: str, arguments: Mapping[str, Any], form: int) -> str:
    words = _DEEDS.get(tool)
    if not words:
        return tool
    told = {
        name: _clipped(value if isinstance(value, str) else _json(value))
        for name, value in arguments.items()
    }
    return words[form].format_map(_Told(told))


class _Told(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "…"


def _finding(result: Result, french: bool) -> str:
    threads = threads_in(result.content)
    query = _clipped(str(result.arguments.get("query", "")))
    if not threads:
        return f"Aucun fil sur « {query} »." if french else f"No thread about “{query}”."
    if french:
        return f"{len(threads)} fil(s) sur « {query} » : {_titles(threads)}."
    return f"{len(threads)} thread(s) about “{query}”: {_titles(threads)}."


def _titles(threads: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"“{_clipped(str(thread.get('title', '')))}”" for thread in threads[:20])


def _clipped(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
