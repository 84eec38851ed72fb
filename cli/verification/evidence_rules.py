"""The rules of evidence, where it has them: each is named by the hash of its revision."""

import json
from collections.abc import Mapping
from typing import Any

from cli.verification.evidence_texts import Texts
from cli.verification.verdict import Tampered

UNMATCHED = "unmatched"
Rule = Mapping[str, Any]


class Rules:
    """Finds a rule in the revision that a decision names, or among the built-in ones of then."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._read: dict[str, dict[str, Rule]] = {}

    def check(self, decided: Mapping[str, Any], what: str, *, effect: str = "") -> Rule | None:
        """The rule that decided it, None where it is not there; `decided` may be a revision.

        With the effect that it had, the rule must be in what is named, and have that effect.
        """
        names = (decided["rule_revision"], decided["facts"].get("built_in", ""))
        revisions = [self._rules(name) for name in names]
        code = decided["rule"]
        rule = next((rules[code] for rules in revisions if code in rules), None)
        if rule is None:
            if effect and all(revisions) and code != UNMATCHED:
                raise Tampered(None, f"{what}: no rule {code!r} is in the revision that it names")
            return None
        if effect and rule["effect"] != effect:
            raise Tampered(None, f"{what}: its rule does not say {effect}, but {rule['effect']}")
        self._texts.notes.append(
            f"{what}: {rule['effect']} by the rule {code}, where {rule['condition']}:"
            f" {rule['description']}"
        )
        return rule

    def _rules(self, revision: str) -> dict[str, Rule]:
        """By their codes; none where the revision is not there."""
        if revision not in self._read:
            text = self._texts.named(revision)
            rules = json.loads(text)["rules"] if text else ()
            self._read[revision] = {rule["code"]: rule for rule in rules}
        return self._read[revision]
