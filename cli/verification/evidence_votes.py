"""Votes: who gave each, by what token, to which view; and whether they were enough."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from chenu_gate.canonical_json import digest
from cli.verification.evidence_records import Record
from cli.verification.signatures import Signatures
from cli.verification.verdict import Tampered

_LEEWAY_SECONDS: Final = 5
_BETWEEN_CLOCKS: Final = timedelta(minutes=1)
_VOTER: Final = "voter:"
_LESS: Final = {"mail": "by a link in a mail", "chat": "by a button in a chat"}
"""Ways to vote without having logged in for it."""


def check_vote(
    vote: Mapping[str, Any],
    record: Record,
    decision: Mapping[str, Any],
    signatures: Signatures,
) -> None:
    """Raise Tampered unless the log and the voter's token say the same of it."""
    gate = decision["checkpoint"]
    what = f"the vote of person {vote['person_id']} on checkpoint/{gate['checkpoint_id']}"
    revision = gate["revisions"][vote["revision"] - 1]
    if vote["view_digest"] != revision["view_digest"]:
        raise record.wrong(f"{what} was for another view than was there")
    record.agree(
        what,
        option=vote["option"],
        etag=vote["view_digest"],
        action_digest=revision["action_digest"],
        stage=str(vote["stage"]),
        seat=vote["on_behalf_of"],
        token=digest(vote["token"].encode()) if vote["token"] else "",
    )
    actor = record.actor
    known = (actor.get("person", ""), actor.get("identity", ""), actor.get("kind", ""))
    if known != (vote["person_id"], vote["identity_id"], "human"):
        raise record.wrong(f"{what} was given by somebody else")
    authentication = actor.get("authentication", "")
    if authentication.startswith(_VOTER) and authentication != f"{_VOTER}{_token_id(vote)}":
        raise record.wrong(f"{what} was given by another token")
    if abs(datetime.fromisoformat(vote["create_time"]) - record.time) > _BETWEEN_CLOCKS:
        raise record.wrong(f"{what} has another time in the log")
    if vote["token"]:
        claims = signatures.vote(vote["token"], vote["token_key"], what)
        if claims is not None:
            _check_claims(claims, vote, decision, what)


def vote_told(vote: Mapping[str, Any]) -> str:
    """Whose vote it is, and how sure it is that it is theirs."""
    seat = f" for person {vote['on_behalf_of']}" if vote["on_behalf_of"] else ""
    way = vote["authentication"]
    known = (
        f"{_LESS[way]}, less assured than a log-in"
        if way in _LESS
        else f"by log-in ({way or 'not said how'})"
    )
    cast = f"vote on revision {vote['revision']}: {vote['option']}"
    return f"{cast} by person {vote['person_id']}{seat}, known {known}"


def _check_claims(
    claims: Mapping[str, Any], vote: Mapping[str, Any], decision: Mapping[str, Any], what: str
) -> None:
    said = {
        "sub": vote["person_id"],
        "identity": vote["identity_id"],
        "tenant": decision["tenant"],
        "actor": "human",
        "sid": vote["session"],
        "jti": _token_id(vote),
    }
    if "batch" not in claims:  # the token of a batch names all of its views by one digest
        said |= {
            "checkpoint": decision["checkpoint"]["checkpoint_id"],
            "view_digest": vote["view_digest"],
        }
    for name, value in said.items():
        if claims.get(name) != value:
            raise Tampered(None, f"{what}: its token was for another {name}")
    if " ".join(map(str, claims.get("amr", ()))) != vote["authentication"]:
        raise Tampered(None, f"{what}: its voter was authenticated in another way")
    given = datetime.fromisoformat(vote["create_time"]).timestamp()
    if not claims["iat"] - _LEEWAY_SECONDS <= given <= claims["exp"] + _LEEWAY_SECONDS:
        raise Tampered(None, f"{what} was not given while its token was good")


def _token_id(vote: Mapping[str, Any]) -> str:
    """Of the token; in a batch the vote's own goes on with the checkpoint's."""
    return str(vote["token_id"]).partition("/")[0]


def missing(
    approval: Mapping[str, Any],
    votes: Sequence[Mapping[str, Any]],
    *,
    owner: str,
    editors: set[str],
    escalated: bool,
) -> str:
    """What the votes lack of an ApprovalRequirement, in words; empty where they are enough.

    Who holds a role is identity's word of that time: a stage that names roles, and any once
    the fallback was asked, is counted without asking whom it names.
    """
    if any(vote["option"] != "approve" for vote in votes):
        return "somebody was against it"
    seats = [vote["on_behalf_of"] or vote["person_id"] for vote in votes]
    persons = [vote["person_id"] for vote in votes]
    if len(set(seats)) < len(seats) or len(set(persons)) < len(persons):
        return "somebody counted twice"
    if approval.get("four_eyes") and {owner, *editors} & {*seats, *persons}:
        return "whoever asked for it, or edited it, voted for it"
    for number, stage in enumerate(approval["stages"], 1):
        given = [seat for seat, vote in zip(seats, votes, strict=True) if vote["stage"] == number]
        if len(given) < stage["required"]:
            return f"stage {number} has {len(given)} of {stage['required']}"
        approvers = stage["approvers"]
        named = {person.lower() for person in approvers.get("person_ids", ())}
        named |= {owner} if approvers.get("owner") else set()
        if not approvers.get("roles") and not escalated and set(given) - named:
            return f"somebody voted in stage {number} whom it does not name"
    return ""
