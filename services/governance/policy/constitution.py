"""The laws and the built-in rules, to be read by whoever is governed."""

from __future__ import annotations

from typing import Final, NamedTuple

from services.governance.policy.rules import RuleSet


class Law(NamedTuple):
    """What neither a rule nor a person can lift; code, database and tests hold to it."""

    title: str
    text: str


LAWS: Final = (
    Law(
        "Human sovereignty",
        "Nothing that is gated takes effect before a person who may decide has approved it."
        " Silence is never consent: what nobody decides in time does not happen.",
    ),
    Law(
        "What you see is what runs",
        "An approval is for exactly the action that was shown. Change one byte of it, or of what"
        " was shown, and it has to be approved anew.",
    ),
    Law(
        "One approval, one execution",
        "What was approved is done once at the most. Where nobody can know whether it was done,"
        " that is said, and it is not blindly done again.",
    ),
    Law(
        "Autonomy isolation",
        "Models and agents propose. They never decide, never approve, never widen what they may"
        " do, and never direct one another; hiring and assigning them is for people.",
    ),
    Law(
        "Identity boundary",
        "Everything belongs to one tenant and one identity. Nobody acts for, or on, anybody"
        " else. Between two identities of one person that person decides; between two persons it"
        " is refused. Nothing passes between spheres by itself.",
    ),
    Law(
        "No ranking",
        "Lists are ordered by time, people by name; nothing is ordered by how popular it is.",
    ),
    Law(
        "Traceability and continuity",
        "Every change, refusal and decision is written to a log that cannot be rewritten, and"
        " what somebody once founded a thing on is never changed.",
    ),
    Law(
        "Nothing is lost",
        "Whatever was acknowledged is in the log, or will be, whatever crashes in between.",
    ),
)
UNMATCHED_TEXT: Final = (
    "What no rule knows waits for a person, unless it only reads (query, search, summarize,"
    " analyze)."
)


def as_markdown(rules: RuleSet) -> str:
    """Laws and built-in rules, in the order in which they hold."""
    lines = ["# Constitution", "", "## Laws", ""]
    lines += [f"{number}. **{law.title}.** {law.text}" for number, law in enumerate(LAWS, 1)]
    lines += ["", "## Rules that hold for everybody", ""]
    for rule in rules.rules:
        kinds = ", ".join(rule.kinds) or "every kind of action"
        may = " A tenant's rule may set it aside." if rule.loosenable else ""
        lines.append(f"- **{rule.name}** ({kinds}: {rule.effect}). {rule.description}{may}")
    return "\n".join([*lines, "", UNMATCHED_TEXT, ""])
