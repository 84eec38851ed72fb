"""What the README says of rules and settings is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import services.governance
from services.governance.policy.built_in_rules import BUILT_IN
from services.governance.policy.rules import RuleSet
from services.governance.settings import GovernanceSettings

README = (Path(services.governance.__file__).parent / "README.md").read_text()


def rows(heading: str) -> list[list[str]]:
    section = README.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_rules_shows_the_built_in_rules_in_their_order() -> None:
    expected = []
    for rule in RuleSet(BUILT_IN).rules:
        kinds = ", ".join(kind.value for kind in rule.kinds) or "all"
        effect = rule.effect.value
        if rule.checkpoint_type:
            effect += f", {rule.checkpoint_type.value}"
        expected.append([f"`{rule.code}`", str(rule.priority), kinds, effect])

    assert rows("Rules") == expected


def test_the_table_of_settings_shows_every_setting_with_its_default() -> None:
    fields = GovernanceSettings.model_fields
    shown: dict[str, str] = {}
    for names, default, _ in rows("Settings"):
        found = re.findall(r"`([A-Z_]+)`", names)
        shown |= dict(zip(found, default.replace("`", "").split(", "), strict=False))
    own = {name.upper() for name in GovernanceSettings.__annotations__}

    assert shown.keys() - {"DATABASE_URL", "WORKER_DATABASE_URL"} == own
    for name in own:
        default = fields[name.lower()].default
        if default is not None:
            text = f"{default:g}" if isinstance(default, float) else str(default)
            assert shown[name] == text, name
