"""A checkpoint as a person decides on it: what will happen first, the agent's own words last."""

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from chenu.governance.v1.checkpoint_pb2 import Checkpoint
from cli.rendering import ago, escaped, facts, one_line, safe, short, state, table, when, word
from cli.view_check import CheckedView

_DIGEST_START = len("sha256:")


def short_digest(digest: str) -> str:
    """The beginning of a digest, enough to compare by eye with the long one."""
    return digest[: _DIGEST_START + 12]


def checkpoint_view(checkpoint: Checkpoint, checked: CheckedView) -> RenderableType:
    """All of a checkpoint."""
    view = checked.view
    parts: list[RenderableType] = [
        Text(escaped(checked.question), style="bold"),
        *([] if view["headline"] in checked.question else [Text(escaped(view["headline"]))]),
        Text(escaped(view["consequence"]), style="" if view["reversible"] else "bold red"),
        *(Text(escaped(line)) for line in view.get("touches", ())),
        *_edited(view),
        *(
            Text(f"! {escaped(warning['text'])}", style="bold yellow")
            for warning in view["warnings"]
        ),
        Text(),
        facts(_action_facts(view)),
        Text(),
        table(
            ("argument", "type", "value"),
            ((one["path"], one["type"], escaped(one["value"])) for one in view["arguments"]),
            empty="It takes no arguments.",
        ),
        facts((("stopped by", escaped(checked.stopped_by)), *_decision_facts(checkpoint))),
        Text(),
        _digests(checkpoint, checked),
    ]
    title = Text.assemble(f"checkpoint {short(checkpoint.checkpoint_id)} · ", _state(checkpoint))
    shown: list[RenderableType] = [Panel(Group(*parts), title=title, title_align="left")]
    words = view["untrusted"]["agent_words"]
    if words:
        title = Text("what the agent says: not checked by anybody, not part of what runs")
        shown.append(
            Panel(Text(escaped(words)), title=title, title_align="left", style="dim italic")
        )
    return Group(*shown)


def _edited(view: dict[str, Any]) -> Iterator[Text]:
    """What somebody has changed since it was asked for."""
    edited = view.get("edited")
    if not edited:
        return
    yield Text(f"revision {edited['revision']}, edited by {escaped(edited['by'])}:", style="bold")
    for change in edited["changes"]:
        before, after = change["before"] or "(nothing)", change["after"] or "(nothing)"
        yield Text(f"  {escaped(change['path'])}: {escaped(before)} → {escaped(after)}")


def inbox_table(checkpoints: "list[Checkpoint]") -> RenderableType:
    """What waits, one line each."""
    return table(
        ("checkpoint", "state", "risk", "question", "action", "sphere", "until", "run"),
        (
            (
                short(one.checkpoint_id),
                _state(one),
                state(word(one, "risk")),
                one_line(one.question, 100),
                f"{safe(one.tool)} ({word(one, 'action_kind')})",
                safe(one.sphere),
                ago(one.expire_time) if word(one, "state") == "pending" else "",
                short(one.run_id),
            )
            for one in checkpoints
        ),
        empty="Nothing waits for you.",
    )


def _action_facts(view: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    principal = view["principal"]
    yield "tool", f"{escaped(view['tool'])} of {escaped(view['executor'])} ({view['kind']})"
    for target in view["targets"]:
        at = f" as of {escaped(target['version'])}" if target["version"] else " in any version"
        name = f" “{escaped(target['name'])}”," if target.get("name") else ""
        yield "target", f"{escaped(target['type'])}{name} {escaped(target['id'])}{at}"
    spheres = dict.fromkeys((view["source_sphere"], view["target_sphere"]))
    yield "sphere", " → ".join(escaped(sphere) for sphere in spheres if sphere)
    identity, person = escaped(principal["identity"]), escaped(principal["person"])
    yield "for", f"identity {identity} of person {person}"
    yield "asked by", f"agent {escaped(principal['agent'])}" if principal["agent"] else ""
    yield "thread", escaped(view["thread"])
    yield "run", escaped(view["run"])


def _decision_facts(checkpoint: Checkpoint) -> Iterator[tuple[str, Any]]:
    waits = word(checkpoint, "state") == "pending"
    yield "type", word(checkpoint, "type").replace("_", " ")
    yield "priority", state(word(checkpoint, "priority"))
    yield "risk", state(word(checkpoint, "risk"))
    yield "rule set", short_digest(checkpoint.rule_revision)
    yield "approvals needed", checkpoint.required_approvals
    yield "asked", f"{when(checkpoint.create_time)} ({ago(checkpoint.create_time)})"
    if waits:
        left = ago(checkpoint.expire_time)
        yield "decide until", f"{when(checkpoint.expire_time)} ({left}); silence means no"
    yield "decided", when(checkpoint.resolve_time)
    yield "because", safe(checkpoint.resolution_reason)
    yield "good until", when(checkpoint.valid_until)
    yield "execution", state(word(checkpoint, "execution_state").replace("_", " "))
    for vote in checkpoint.votes:
        said = f": {safe(vote.comment)}" if vote.comment else ""
        at = f"at {when(vote.create_time)} on {short_digest(vote.view_digest)}"
        yield "vote", f"{vote.option_id} by {vote.person_id} {at}{said}"


def _digests(checkpoint: Checkpoint, checked: CheckedView) -> RenderableType:
    verdict = Text("✓ checked here: the view is what the action's own bytes say", style="green")
    if not checked.rendered_alike:
        words = "the digests agree, but this command would have rendered the action otherwise"
        verdict = Text(f"! {words}: compare the arguments with the action", style="yellow")
    return Group(
        facts(
            (
                ("a vote is for", short_digest(checkpoint.etag)),
                ("view digest", checkpoint.etag),
                ("action digest", checkpoint.action_digest),
            )
        ),
        verdict,
    )


def _state(checkpoint: Checkpoint) -> Text:
    return state(word(checkpoint, "state"))
