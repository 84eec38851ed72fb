"""The kernel's errors and the contract name the same reasons."""

import importlib
import pkgutil

import kernel
from chenu.events.v1.error_reason_pb2 import ErrorReason
from kernel.errors import ServiceError


def reasons(error: type[ServiceError]) -> set[str]:
    """Of a class and all that are made of it, the kernel's own only."""
    own = {error.reason} if error.__module__.startswith("kernel.") else set[str]()
    return own.union(*(reasons(child) for child in error.__subclasses__()))


def test_every_reason_stands_in_the_contract_and_every_one_there_is_given() -> None:
    for module in pkgutil.walk_packages(kernel.__path__, "kernel."):
        if not module.name.startswith("kernel.migration."):
            importlib.import_module(module.name)
    named = {name.removeprefix("ERROR_REASON_") for name in ErrorReason.keys()}  # noqa: SIM118
    assert reasons(ServiceError) == named - {"UNSPECIFIED"}
