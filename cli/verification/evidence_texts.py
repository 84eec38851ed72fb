"""The texts of evidence, where it has them: each opens a digest, and actions are shown truly."""

import json
from collections.abc import Mapping
from typing import Any

from chenu_gate.action import Action
from chenu_gate.canonical_json import digest
from chenu_gate.refusal import ActionRefused
from chenu_gate.view import argument_lines, render
from chenu_gate.visible_text import original
from cli.verification.verdict import Tampered

_OF_ACTION = {"kind": "kind", "executor": "executor", "run": "run_id", "thread": "thread_id",
              "source_sphere": "sphere"}  # fmt: skip
_OF_PRINCIPAL = {"tenant": "tenant", "person": "person_id", "identity": "identity_id",
                 "agent": "agent"}  # fmt: skip


class Texts:
    """What was opened; without texts there is nothing to check here."""

    def __init__(self, given: list[Mapping[str, str]] | None, notes: list[str]) -> None:
        self._opened = {digest((one["salt"] + one["text"]).encode()): one["text"]
                        for one in given or ()}  # fmt: skip
        if any(set(one) != {"salt", "text"} for one in given or ()):
            raise Tampered(None, "the texts say more than they should")
        self._there, self.notes = given is not None, notes
        self._named: set[str] = set()

    def named(self, commitment: str) -> str:
        """The text that a digest in the document stands for; empty where it is not there."""
        self._named.add(commitment)
        return self._opened.get(commitment, "")

    def end(self) -> None:
        """Raise Tampered where there is a text that nothing stands for."""
        if self._opened.keys() - self._named:
            raise Tampered(None, "a text is there that the document does not name")

    def check_revision(
        self,
        what: str,
        decision: Mapping[str, Any],
        revision: Mapping[str, Any],
        before: str,
        rule: Mapping[str, Any] | None,
    ) -> None:
        """What was shown is what would run; `before` is the action of the revision before."""
        action_text = self.named(revision["action_digest"])
        view_text = self.named(revision["view_digest"])
        if self._there and not (action_text and view_text):
            self.notes.append(f"{what}: its action or its view was erased")
        action = _action(action_text, decision, what) if action_text else None
        if not view_text:
            return
        view = json.loads(view_text)
        if view["action_digest"] != revision["action_digest"]:
            raise Tampered(None, f"{what}: the view shows another action")
        stopped = view["stopped_by"]
        if (stopped["rule"], stopped["revision"]) != (
            revision["rule"],
            revision["rule_revision"],
        ):
            raise Tampered(None, f"{what}: the view names another rule than the decision")
        if rule and (stopped["name"], stopped["description"]) != (
            rule["name"],
            rule["description"],
        ):
            raise Tampered(None, f"{what}: the view describes its rule in other words")
        if action is not None:
            self._check_rendering(view, action, what)
            if before and revision["revision"] > 1:
                _check_changes(view, Action.parse(before.encode()), action, revision, what)

    def _check_rendering(self, view: Mapping[str, Any], action: Action, what: str) -> None:
        own = render(action, agent_words=original(view["untrusted"]["agent_words"]))
        if all(view.get(name) == value for name, value in own.items()):
            return
        if view.get("unicode") == own["unicode"]:
            raise Tampered(None, f"{what}: the view is not how its action is shown")
        self.notes.append(f"{what}: rendered with another edition of Unicode, not compared")


def check_action(texts: Texts, decision: Mapping[str, Any]) -> None:
    """The action of a decision that no person was asked about."""
    text = texts.named(decision["action_digest"])
    if text:
        _action(text, decision, f"decision {decision['decision_id']}")


def _action(text: str, decision: Mapping[str, Any], what: str) -> Action:
    try:
        action = Action.parse(text.encode())
    except ActionRefused as refused:
        raise Tampered(None, f"{what}: its action is not well formed ({refused})") from None
    document = action.document()
    said = {name: document[name] for name in _OF_ACTION}
    said |= {name: document["principal"][name] for name in _OF_PRINCIPAL}
    said["tool"] = action.tool.name
    for name, value in said.items():
        known = decision[{**_OF_ACTION, **_OF_PRINCIPAL, "tool": "tool"}[name]]
        if value != known:
            raise Tampered(None, f"{what}: its action has {name} {value!r}, not {known!r}")
    return action


def _check_changes(
    view: Mapping[str, Any],
    before: Action,
    after: Action,
    revision: Mapping[str, Any],
    what: str,
) -> None:
    old, new = argument_lines(before), argument_lines(after)
    changes = [
        {"path": path, "before": old.get(path, ""), "after": new.get(path, "")}
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]
    edited = {"by": revision["person_id"], "revision": revision["revision"], "changes": changes}
    if view["edited"] != edited:
        raise Tampered(None, f"{what}: the view tells other changes than were made")
