"""A checkpoint as a person decides on it: what will happen first, the agent's own words last."""

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from chenu.governance.v1.approval_pb2 import Approvers
from chenu.governance.v1.authorization_service_pb2 import Verdict
from chenu.governance.v1.checkpoint_pb2 import Checkpoint, StageProgress
from chenu_gate.view import short_digest
from cli.rendering import ago, escaped, facts, one_line, safe, short, state, table, when, word
from cli.view_check import CheckedView


def checkpoint_view(checkpoint: Checkpoint, checked: CheckedView) -> RenderableType:
    """All of a checkpoint."""
    view = checked.view
    parts: list[RenderableType] = [
        Text(escaped(checked.question), style="bold"),
        *([] if view["headline"] in checked.question else [Text(escaped(view["headline"]))]),
        Text(escaped(view["consequence"]), style="" if view["reversible"] else "bold red"),
        *(Text(escaped(line)) for line in view.get("touches", ())),
        *(Text(escaped(line)) for line in view.get("cumulative", ())),
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
        ("checkpoint", "state", "risk", "votes", "question", "action", "sphere", "until", "run"),
        (
            (
                short(one.checkpoint_id),
                _state(one),
                state(word(one, "risk")),
                f"{sum(len(s.person_ids) for s in one.stages)}/{one.required_approvals}",
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
    for number, stage in enumerate(checkpoint.stages, 1):
        yield f"stage {number}", _stage(checkpoint, number, stage)
    if checkpoint.approval.four_eyes:
        yield "four eyes", "not the requester, not whoever edited it"
    if checkpoint.approval.HasField("veto"):
        yield "veto", f"{named(checkpoint.approval.veto)} may say no"
    yield "asked", f"{when(checkpoint.create_time)} ({ago(checkpoint.create_time)})"
    if waits:
        left = ago(checkpoint.expire_time)
        yield "decide until", f"{when(checkpoint.expire_time)} ({left}); silence means no"
        yield "reminded", f"{checkpoint.reminders} times" if checkpoint.reminders else ""
        yield "next reminder", when(checkpoint.remind_time)
        yield "asks others", when(checkpoint.escalate_time)
        if checkpoint.claimed_by:
            until = when(checkpoint.claim_until)
            yield "reserved", f"for {checkpoint.claimed_by} until {until}"
    yield "escalated", "the fallback may approve as well" if checkpoint.escalated else ""
    yield "begins before", when(checkpoint.execute_by)
    yield "decided", when(checkpoint.resolve_time)
    yield "because", safe(checkpoint.resolution_reason)
    yield "good until", when(checkpoint.valid_until)
    yield "execution", state(word(checkpoint, "execution_state").replace("_", " "))
    if checkpoint.contradicted_by:
        says = word(checkpoint, "contradicted_by")
        yield "but", f"its executor says {says}; a person said otherwise. Look which is true"
    for vote in checkpoint.votes:
        said = f": {safe(vote.comment)}" if vote.comment else ""
        at = f"at {when(vote.create_time)} on {short_digest(vote.view_digest)}"
        place = f" in the place of {vote.on_behalf_of}" if vote.on_behalf_of else ""
        yield "vote", f"{vote.option_id} by {vote.person_id}{place} {at}{said}"
    for remark in checkpoint.remarks:
        kind = "question" if remark.is_question else "comment"
        yield kind, f"{remark.person_id} at {when(remark.create_time)}: {safe(remark.text)}"


def _stage(checkpoint: Checkpoint, number: int, stage: StageProgress) -> str:
    """How far it is, and who is missing."""
    name = f"{safe(stage.name)}: " if stage.name else ""
    told = f"{name}{len(stage.person_ids)} of {stage.required}"
    if not stage.missing:
        return f"{told} ✓"
    turn = "" if checkpoint.current_stage in (0, number) else ", not yet its turn"
    asked = checkpoint.approval.stages[number - 1].approvers
    return f"{told}, missing {stage.missing} of {named(asked)}{turn}"


def named(approvers: Approvers) -> str:
    """Whom a group names, in words."""
    words = ["the owner"] if approvers.owner else []
    words += [f"role {safe(role)}" for role in approvers.roles]
    words += [f"person {short(person)}" for person in approvers.person_ids]
    return ", ".join(words)


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


def question(verdict: Verdict, what: str) -> str:
    """Where to decide on what governance was asked for; else how it stands."""
    waiting = verdict.checkpoint.checkpoint_id
    return f"{what}: chenu show {short(waiting)}" if waiting else f"It is {word(verdict, 'state')}."
