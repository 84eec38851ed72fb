"""The contracts as the descriptors tell them: every RPC of ours, and who serves it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

from chenu.events.v1 import method_policy_pb2
from chenu.events.v1.method_policy_pb2 import MethodPolicy

ROOT = Path(__file__).parents[2]
SERVED_BY = {
    "identity": {"identity"},
    "threads": {"threads"},
    "governance": {"governance"},
    "audit": {"audit"},
    "nova": {"nova"},
    "llm": {"llm"},
    "courier": {"courier"},
}
EXECUTORS = {"threads", "courier"}
# Services that keep what people wrote or are called.
HOLDERS = {"identity", "threads", "governance", "nova", "courier"}


def described() -> tuple[DescriptorPool, FileDescriptorSet]:
    """The pool of all contracts, and their files."""
    files = FileDescriptorSet.FromString((ROOT / "gen" / "chenu.binpb").read_bytes())
    pool = DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return pool, files


def methods() -> Iterator[MethodDescriptor]:
    """Every RPC of ours."""
    pool, files = described()
    for file in files.file:
        if file.package.startswith("chenu."):
            for service in pool.FindFileByName(file.name).services_by_name.values():
                yield from service.methods


def policy_of(method: MethodDescriptor) -> MethodPolicy:
    """Who may call an RPC, and what it leaves in the audit log."""
    options: Any = method.GetOptions()
    policy: MethodPolicy = options.Extensions[method_policy_pb2.policy]
    return policy


def comments() -> dict[str, str]:
    """The leading comment of each RPC, by its full name."""
    found = {}
    for file in described()[1].file:
        for location in file.source_code_info.location:
            path = list(location.path)
            if len(path) == 4 and (path[0], path[2]) == (6, 2):
                service = file.service[path[1]]
                method = service.method[path[3]]
                name = f"{file.package}.{service.name}.{method.name}"
                found[name] = " ".join(location.leading_comments.split())
    return found


def hosts(method: MethodDescriptor) -> set[str]:
    """The services that serve an RPC."""
    package = method.containing_service.file.package.split(".")[1]
    if method.containing_service.name == "ExecutorService":
        return EXECUTORS
    if method.containing_service.name == "SubjectService":
        return HOLDERS
    if package == "events":
        return set().union(*SERVED_BY.values())
    return SERVED_BY[package]
