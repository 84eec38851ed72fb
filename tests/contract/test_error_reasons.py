"""Each service's list of reasons names what its code gives, and nothing else."""

import ast
import pkgutil
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest

import chenu
import chenu_gate
import kernel
import services
from chenu_gate.refusal import Refused
from kernel.errors import ServiceError

GATE: Final = "governance"  # whose list holds the reasons of all executors, too
# Besides the kernel's: whose reasons a service passes on by classes of its own.
PASSED_ON: Final = {
    "courier": {GATE},
    "nova": {GATE, "identity"},
    "threads": {GATE},
}
SERVICES: Final = sorted(m.name for m in pkgutil.iter_modules(services.__path__) if m.ispkg)
PACKAGES: Final = sorted(
    {path.parent.parent.name for root in chenu.__path__ for path in Path(root).glob("*/v1/*.py")}
)


def listed(package: str) -> set[str]:
    """The reasons of a contract."""
    enum: Any = import_module(f"chenu.{package}.v1.error_reason_pb2").ErrorReason
    return {name.removeprefix("ERROR_REASON_") for name in dict(enum.items())} - {"UNSPECIFIED"}


def known(service: str) -> set[str]:
    """The reasons that a service may give."""
    return listed(service).union(*map(listed, ("events", *PASSED_ON.get(service, ()))))


def given(package: ModuleType) -> set[str]:
    """The reasons of a package's own classes."""
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if ".migration" not in module.name and not module.name.endswith("__main__"):
            import_module(module.name)
    return {
        found.reason
        for found in (*descendants(ServiceError), *descendants(Refused))
        if f"{found.__module__}.".startswith(f"{package.__name__}.")
        # Not those made on the way of what the gate refused.
        and vars(sys.modules[found.__module__]).get(found.__name__) is found
        and hasattr(found, "reason")
    }


def descendants(root: type[Any]) -> Iterator[type[Any]]:
    yield root
    for child in root.__subclasses__():
        yield from descendants(child)


def test_every_service_has_a_list() -> None:
    assert sorted({*SERVICES, "events"}) == PACKAGES
    for package in PACKAGES:
        assert listed(package), package


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_gives_the_reasons_of_its_list_and_lists_all_that_it_gives(service: str) -> None:
    gives = given(import_module(f"services.{service}"))
    assert gives <= known(service)
    if service == GATE:
        gives |= given(chenu_gate).union(
            *(given(import_module(f"services.{s}")) for s in PASSED_ON)
        )
    assert listed(service) <= gives


def test_the_kernel_gives_the_reasons_of_all_services() -> None:
    assert given(kernel) == listed("events")


@pytest.mark.parametrize("service", SERVICES)
def test_a_reason_that_is_written_into_a_run_stands_in_a_list(service: str) -> None:
    written = {
        reason
        for path in Path(next(iter(services.__path__)), service).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assign)
        and any(isinstance(t, ast.Attribute) and t.attr == "error_reason" for t in targets(node))
        for reason in re.findall(r"[\"']([A-Z]+(?:_[A-Z]+)+)[\"']", ast.unparse(node.value))
    }
    assert written <= known(service)


def targets(node: ast.Assign) -> Iterator[ast.expr]:
    for target in node.targets:
        yield from target.elts if isinstance(target, ast.Tuple) else [target]
