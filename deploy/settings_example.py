"""Writes .env.example: every setting of every process, with its default and its meaning.

`python -m deploy.settings_example > .env.example`; a test compares the two.
"""

import ast
import inspect
import json
import sys
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from deploy.local.ports import DEFAULT_PORTS
from kernel.settings import ServiceSettings, SharedSettings

_HEAD: Final = """\
# Every setting, with its default. A line that is not commented out must be set; the rest need not.
# A local stack (chenu up) sets all of this by itself; it reads CHENU_NATS_MAX_BYTES only.
# Made by: python -m deploy.settings_example > .env.example
"""
_COMMAND: Final = {
    "CHENU_STATE": ("", "The folder of the stack that the chenu command speaks to."),
    "CHENU_PASSWORD": ("", "The password for chenu login --email …"),
    "CHENU_AGENT_SECRET": ("", "An agent's secret, for chenu agents token AGENT."),
    "CHENU_ADMIN_DATABASE_URL": ("", "The superuser's URL, for chenu migrate."),
    "ANTHROPIC_API_KEY": ("", "The key that chenu up --live hands to the llm service."),
}
_REQUIRED: Final = frozenset({"database_url", "worker_database_url"})


def example() -> str:
    """The whole file."""
    parts = [_HEAD, *_section("All services", SharedSettings)]
    for service in DEFAULT_PORTS:
        parts += _section(f"The {service} service", _settings_class(service))
    parts.append("\n# --- The chenu command ---\n")
    for name, (default, meaning) in _COMMAND.items():
        parts.append(f"\n# {meaning}\n# {name}={default}\n")
    return "".join(parts)


def _settings_class(service: str) -> type[BaseSettings]:
    module = import_module(f"services.{service}.settings")
    found: list[type[BaseSettings]] = [
        one
        for _, one in inspect.getmembers(module, inspect.isclass)
        if issubclass(one, ServiceSettings) and one.__module__ == module.__name__
    ]
    return found[0]


def _section(title: str, settings: type[BaseSettings]) -> Iterator[str]:
    documented = [
        one for one in settings.__mro__ if issubclass(one, BaseSettings) and one is not BaseSettings
    ]
    prefix = str(settings.model_config.get("env_prefix", ""))
    meanings = {name: text for one in reversed(documented) for name, text in _meanings(one).items()}
    keeps_state = title.split()[1] not in ("gateway", "services")
    yield f"\n# --- {title} ---\n"
    for name, field in settings.model_fields.items():
        if name in _REQUIRED and not keeps_state:
            continue
        comment = textwrap.wrap(meanings.get(name, ""), 96)
        yield "\n" + "".join(f"# {line}\n" for line in comment)
        mark = "" if name in _REQUIRED else "# "
        yield f"{mark}{prefix}{name.upper()}={_value(field)}\n"


def _meanings(settings: type[BaseSettings]) -> dict[str, str]:
    """The text beneath each field of a class."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(settings))).body
    meanings, last = {}, ""
    for node in tree.body if isinstance(tree, ast.ClassDef) else ():
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            last = node.target.id
        elif last and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            meanings[last] = " ".join(str(node.value.value).split())
        else:
            last = ""
    return meanings


def _value(field: FieldInfo) -> str:
    value: Any = None if field.is_required() else field.get_default()
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list | dict):
        return json.dumps(value)
    return value.as_posix() if isinstance(value, Path) else str(value)


if __name__ == "__main__":
    sys.stdout.write(example())
