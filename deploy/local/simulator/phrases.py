"""What the simulator says, in English and French."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from deploy.local.simulator.conversation import Conversation, Result, threads_in
from deploy.local.simulator.plan import Call

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
    "thread_export": (
        "export the thread “{thread}”",
        "exported the thread “{thread}”",
        "exporter le fil « {thread} »",
        "fil « {thread} » exporté",
    ),
    "thread_share": (
        "share the thread “{thread}” with the identity “{identity}”",
        "shared the thread “{thread}” with the identity “{identity}”",
        "partager le fil « {thread} » avec l’identité « {identity} »",
        "fil « {thread} » partagé avec l’identité « {identity} »",
    ),
    "thread_unshare": (
        "stop sharing the thread “{thread}” with the identity “{identity}”",
        "stopped sharing the thread “{thread}” with the identity “{identity}”",
        "ne plus partager le fil « {thread} » avec l’identité « {identity} »",
        "partage du fil « {thread} » avec l’identité « {identity} » arrêté",
    ),
    "webhook_send": (
        "send {payload} to “{endpoint}”",
        "sent {payload} to “{endpoint}”",
        "envoyer {payload} à « {endpoint} »",
        "{payload} envoyé à « {endpoint} »",
    ),
}
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class Voice:
    """Says things in the person's language; `names` are the titles of threads known by id."""

    french: bool
    names: Mapping[str, str]

    def intention(self, calls: Sequence[Call], last: bool) -> str:
        """What is going to be done."""
        deeds = "; ".join(self._deed(call.tool, call.arguments, done=False) for call in calls)
        if self.french:
            return f"Je vais {deeds}{'' if last else ', puis regarder ce que cela donne'}."
        return f"I will {deeds}{'' if last else ', and then look at the results'}."

    def report(self, results: Sequence[Result], calls: Sequence[Call] = ()) -> str:
        """What each search found and what was done; with `calls`, to be said once they are."""
        lines = [self._finding(result) for result in results if result.tool == "thread_search"]
        deeds = [
            self._deed(tool, arguments, done=True)
            for tool, arguments in (
                *((result.tool, result.arguments) for result in results),
                *((call.tool, call.arguments) for call in calls),
            )
            if tool in _DEEDS and tool != "thread_search"
        ]
        if deeds:
            lines.append(f"{'Fait :' if self.french else 'Done:'} {'; '.join(deeds)}.")
        return "\n".join(lines) or ("C’est fini." if self.french else "That is all.")

    def nothing_meant(self, results: Sequence[Result], found: bool) -> str:
        """Why the plan ends early: nothing was found, or too much to know which is meant."""
        if found:
            why = "Lequel voulez-vous dire ?" if self.french else "Which one do you mean?"
        elif self.french:
            why = "Je n’ai donc rien fait de plus."
        else:
            why = "So there was nothing more to do."
        return f"{self.report(results)}\n{why}"

    def failure(self, result: Result) -> str:
        """What went wrong, in the tool's words."""
        said = result.content.get("message") if result.reason else None
        why = _clipped(said or result.content).rstrip(".")
        if self.french:
            return f"{result.tool} n’a pas abouti : {why}. Je me suis arrêté là."
        return f"{result.tool} did not work: {why}. I stopped there."

    def refusal(self, result: Result) -> str:
        """That a person said no, and why if they said so."""
        deed, why = self._deed(result.tool, result.arguments, done=False), ""
        if comment := result.content.get("comment"):
            said = _clipped(comment)
            why = f" (« {said} »)" if self.french else f" (“{said}”)"
        if self.french:
            return f"Une personne a dit non à ceci : {deed}{why}. Je n’ai rien fait du plan."
        return f"A person said no to this: {deed}{why}. I did nothing of the plan."

    def no_tool(self, tools: Sequence[str]) -> str:
        """Which tools it would have taken."""
        names = ", ".join(tools)
        return f"Il me faudrait pour cela : {names}." if self.french else f"It would take: {names}."

    def answer(self, conversation: Conversation) -> str:
        """An answer to what orders nothing. No model has read the question, and it says so."""
        threads, asked = conversation.known("threads"), _clipped(conversation.request)
        if self.french:
            known = f" Le contexte contient {len(threads)} fil(s) : {_titles(threads)}."
            return f"Réponse simulée à « {asked} ».{known if threads else ''}"
        known = f" The context holds {len(threads)} thread(s): {_titles(threads)}."
        return f"A simulated answer to “{asked}”.{known if threads else ''}"

    @property
    def untitled(self) -> str:
        """A title for a thread that was given none."""
        return "Nouveau fil" if self.french else "New thread"

    def _deed(self, tool: str, arguments: Mapping[str, Any], *, done: bool) -> str:
        told = _Told({name: _clipped(value) for name, value in arguments.items()})
        told["text"] = told["content"] if "content" in told else told["text"]
        told["thread"] = self.names.get(told["thread"], told["thread"])
        words = _DEEDS.get(tool, (tool,) * 4)
        return words[2 * self.french + done].format_map(told)

    def _finding(self, result: Result) -> str:
        threads, query = threads_in(result.content), _clipped(result.arguments.get("query", ""))
        if not threads:
            return f"Aucun fil sur « {query} »." if self.french else f"No thread about “{query}”."
        if self.french:
            return f"{len(threads)} fil(s) sur « {query} » : {_titles(threads)}."
        return f"{len(threads)} thread(s) about “{query}”: {_titles(threads)}."


class _Told(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "…"


def _titles(threads: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"“{_clipped(thread.get('title', ''))}”" for thread in threads[:20])


def _clipped(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
