"""What governance could say of what never was, and have the log sign; each with what is found."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from chenu_gate.canonical_json import digest, write
from chenu_gate.permit import mint, read
from kernel.tokens import decode
from tests.unit.cli.evidence_samples import Story

Lie: TypeAlias = Callable[[Story, Any], None]


def hides_a_vote(story: Story, decision: Any) -> None:
    decision["checkpoint"]["votes"].pop()


def votes_twice(story: Story, decision: Any) -> None:
    decision["checkpoint"]["votes"].append(decision["checkpoint"]["votes"][-1])


def asks_for_more(story: Story, decision: Any) -> None:
    for revision in decision["checkpoint"]["revisions"]:
        revision["approval"]["stages"][1]["required"] = 2
    _approval(story, decision)


def needs_four_eyes(story: Story, decision: Any) -> None:
    for revision in decision["checkpoint"]["revisions"]:
        revision["approval"]["four_eyes"] = True
    _approval(story, decision)


def names_somebody_else(story: Story, decision: Any) -> None:
    for revision in decision["checkpoint"]["revisions"]:
        revision["approval"]["stages"][1]["approvers"]["person_ids"] = [story.ada.person]
    _approval(story, decision)


def _approval(story: Story, decision: Any) -> None:
    """As if it had taken that from the beginning."""
    first, second = decision["checkpoint"]["revisions"]
    story.details("checkpoint.created")["approval"] = digest(write(first["approval"]))
    story.details("checkpoint.edited")["new_approval"] = digest(write(second["approval"]))


def executes_what_nobody_approved(story: Story, decision: Any) -> None:
    approved = decision["checkpoint"]
    event = next(one for one in story.events if one["type"].endswith("checkpoint.approved"))
    event["type"] = "chenu.governance.checkpoint.voted"
    approved["state"] = "pending"


def executes_what_was_denied(story: Story, decision: Any) -> None:
    allowed = story.said["decisions"][1]
    allowed["effect"] = "deny"
    made = [one for one in story.events if one["type"].endswith("decision.made")][1]
    made["data"]["decision"]["effect"] = "DENY"
    story.texts = []  # its rule would tell


def approves_too_late(story: Story, decision: Any) -> None:
    decision["checkpoint"]["expire_time"] = (datetime.now(UTC) - timedelta(hours=1)).isoformat()


def permits_too_late(story: Story, decision: Any) -> None:
    decision["checkpoint"]["valid_until"] = (datetime.now(UTC) - timedelta(hours=1)).isoformat()


def permits_something_else(story: Story, decision: Any) -> None:
    _permit(story, decision, action=decision["action_digest"])


def permits_somebody_else(story: Story, decision: Any) -> None:
    _permit(story, decision, person=story.bob.person)


def permits_before_the_approval(story: Story, decision: Any) -> None:
    then = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    _permit(story, decision, issued_at=then, expires_at=then + timedelta(seconds=10))


def permits_for_an_hour(story: Story, decision: Any) -> None:
    _permit(story, decision, expires_at=datetime.now(UTC) + timedelta(hours=1))


def _permit(story: Story, decision: Any, **changes: Any) -> None:
    execution = decision["execution"]
    known = {story.permits.kid: story.permits.private.public_key()}
    permit = replace(read(execution["permit"], known), **changes)
    execution["permit"] = mint(permit, story.permits.private, story.permits.kid)
    story.details("decision.executed")["permit"] = digest(execution["permit"].encode())


def signs_by_another_key(story: Story, decision: Any) -> None:
    decision["execution"]["permit_key"] = story.tokens.jwk["x"]


def lets_the_token_be_of_another_view(story: Story, decision: Any) -> None:
    _token(story, decision, view_digest=decision["checkpoint"]["revisions"][0]["view_digest"])


def lets_an_agent_vote(story: Story, decision: Any) -> None:
    _token(story, decision, actor="agent")


def lets_the_token_be_old(story: Story, decision: Any) -> None:
    _token(story, decision, iat=0, exp=60)


def _token(story: Story, decision: Any, **changes: Any) -> None:
    """As if the last vote had been given by a token that says something else."""
    vote = decision["checkpoint"]["votes"][-1]
    public = story.tokens.private.public_key()
    claims = {**decode(vote["token"], public, "governance"), **changes}
    vote["token"] = story.tokens.sign(claims, typ="vote+jwt", ttl=60)
    story.details("checkpoint.approved")["token"] = digest(vote["token"].encode())


def shows_another_view(story: Story, decision: Any) -> None:
    revision = decision["checkpoint"]["revisions"][-1]
    text = next(
        one for one in story.texts if digest(one["text"].encode()) == revision["view_digest"]
    )
    text["text"] = text["text"].replace('"value":"t-2"', '"value":"t-3"')
    before, after = revision["view_digest"], digest(text["text"].encode())
    revision["view_digest"] = after
    for event in story.events:
        details = event["data"]["details"]
        details |= {name: after for name, value in details.items() if value == before}
    for vote in decision["checkpoint"]["votes"]:
        if vote["view_digest"] == before:
            vote["view_digest"] = after
            vote["token"] = ""
    for which in ("checkpoint.voted", "checkpoint.approved"):
        story.details(which, -1).pop("token")


def keeps_a_record_back(story: Story, decision: Any) -> None:
    story.events = [one for one in story.events if one["data"].get("version") != "3"]


def tells_a_record_twice(story: Story, decision: Any) -> None:
    story.events.insert(0, story.events[2])


def goes_on_after_the_end(story: Story, decision: Any) -> None:
    event = next(one for one in story.events if one["type"].endswith("checkpoint.voted"))
    event["type"] = "chenu.governance.checkpoint.cancelled"


def does_something_else(story: Story, decision: Any) -> None:
    effect = deepcopy(story.events[0])
    effect |= {"source": "chenu/threads", "type": "chenu.threads.thread.deleted"}
    effect["data"]["details"] = {"action_digest": decision["action_digest"]}
    story.events.insert(0, effect)


def forgets_the_execution(story: Story, decision: Any) -> None:
    decision["execution"] = None


def adds_a_text(story: Story, decision: Any) -> None:
    story.texts.append({"salt": "", "text": "x"})


def goes_by_a_rule_that_is_not_there(story: Story, decision: Any) -> None:
    story.said["decisions"][1]["rule"] = "never_written"
    story.details("decision.made", 1)["rule"] = "never_written"


def takes_a_rule_for_milder(story: Story, decision: Any) -> None:
    story.said["decisions"][1]["effect"] = "warn"
    made = [one for one in story.events if one["type"].endswith("decision.made")][1]
    made["data"]["decision"]["effect"] = "WARN"


def shows_its_rule_in_other_words(story: Story, decision: Any) -> None:
    rules = next(one for one in story.texts if one["text"].startswith('{"counters"'))
    rules["text"] = rules["text"].replace("What cannot be brought back", "What could")
    first, second = decision["checkpoint"]["revisions"]
    for facts in (decision["facts"], first["facts"], second["facts"]):
        facts["built_in"] = digest(rules["text"].encode())
    story.details("checkpoint.created")["facts"] = digest(write(first["facts"]))
    story.details("checkpoint.edited")["new_facts"] = digest(write(second["facts"]))


LIES: Final[list[tuple[Lie, str]]] = [
    (hides_a_vote, "keeps a vote from you"),
    (votes_twice, "one vote stands there twice"),
    (asks_for_more, "without enough votes: stage 2 has 1 of 2"),
    (needs_four_eyes, "whoever asked for it, or edited it, voted for it"),
    (names_somebody_else, "somebody voted in stage 2 whom it does not name"),
    (executes_what_nobody_approved, "was executed, but nobody had approved it"),
    (executes_what_was_denied, "was executed, but nobody had approved it"),
    (approves_too_late, "was approved after its time"),
    (permits_too_late, "it was signed after the approval had lapsed"),
    (permits_something_else, "it is for another action"),
    (permits_somebody_else, "it is for another person"),
    (permits_before_the_approval, "it was signed before this"),
    (permits_for_an_hour, "it is good for longer than a permit may be"),
    (signs_by_another_key, "it was signed by another key than comes with it"),
    (lets_the_token_be_of_another_view, "its token was for another view_digest"),
    (lets_an_agent_vote, "its token was for another actor"),
    (lets_the_token_be_old, "was not given while its token was good"),
    (shows_another_view, "the view is not how its action is shown"),
    (keeps_a_record_back, "has no record of version 3"),
    (tells_a_record_twice, "has two records of one version"),
    (goes_on_after_the_end, "was cancelled, and that is for good"),
    (does_something_else, "something else was done"),
    (forgets_the_execution, "the document says nothing of it"),
    (goes_by_a_rule_that_is_not_there, "no rule 'never_written' is in the revision"),
    (takes_a_rule_for_milder, "its rule does not say warn, but allow"),
    (shows_its_rule_in_other_words, "the view describes its rule in other words"),
    (adds_a_text, "a text is there that the document does not name"),
]
