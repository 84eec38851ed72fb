"""Whether a checkpoint shows what would run: recomputed here, from the bytes, trusting nobody."""

import json
from dataclasses import dataclass
from typing import Any

from chenu.governance.v1.checkpoint_pb2 import Checkpoint
from chenu_gate.action import Action
from chenu_gate.canonical_json import digest
from chenu_gate.refusal import ActionRefused
from chenu_gate.view import render
from chenu_gate.visible_text import original
from cli.problems import Problem


class ViewUntrue(Problem):
    """What is shown is not what would run."""

    def __init__(self, cause: str) -> None:
        super().__init__(
            f"do not vote on this: {cause}",
            reason="VIEW_UNTRUE",
            next_step="reject it, and tell whoever runs governance",
        )


@dataclass(frozen=True)
class CheckedView:
    """A view whose digest is the etag, of an action whose digest is the one it names."""

    view: dict[str, Any]
    rendered_alike: bool
    """Rendered here from the action it is the same text, too; another edition of Unicode or of
    the renderer may show a character in another way."""

    @property
    def question(self) -> str:
        """What is asked, in the words that the digest covers."""
        return str(self.view.get("question", self.view["headline"]))

    @property
    def stopped_by(self) -> str:
        """The rule, in the words that the digest covers."""
        rule = self.view.get("stopped_by", {})
        said = f"{rule.get('name', '')}: {rule.get('description', '')}"
        found = [f"{one['fact']} = {one['value']}" for one in rule.get("facts", ())]
        return f"{said} ({'; '.join([rule.get('rule', ''), *found])})" if rule else ""


def checked_view(checkpoint: Checkpoint) -> CheckedView:
    """The view of a checkpoint; ViewUntrue where digests and bytes do not agree."""
    if digest(checkpoint.view.encode()) != checkpoint.etag:
        raise ViewUntrue("its etag is not the digest of the view that was sent")
    if digest(checkpoint.action) != checkpoint.action_digest:
        raise ViewUntrue("its action is not the one that its digest names")
    view: dict[str, Any] = json.loads(checkpoint.view)
    if view.get("action_digest") != checkpoint.action_digest:
        raise ViewUntrue("the view was rendered from another action")
    try:
        action = Action.parse(checkpoint.action)
    except ActionRefused as refusal:
        raise ViewUntrue(f"its action is not well formed ({refusal})") from None
    words = str(view.get("untrusted", {}).get("agent_words", ""))
    own = render(action, agent_words=original(words))
    return CheckedView(view, all(view.get(name) == value for name, value in own.items()))
