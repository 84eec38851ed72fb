"""The RPCs that have an HTTP binding, read from the descriptors: there is no second list."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from google.api import annotations_pb2
from google.api.http_pb2 import HttpRule
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

import chenu
from chenu.events.v1 import method_policy_pb2
from chenu.events.v1.method_policy_pb2 import CallerKind, MethodPolicy

_VERBS: Final = ("get", "put", "post", "delete", "patch")
_PARAMETER: Final = re.compile(r"{([a-z_]+)}")
_REST: Final = "=**}"
"""Ends a parameter that takes the rest of the path."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One verb and path of an RPC."""

    verb: str
    pattern: str
    """The path as `google.api.http` writes it."""
    whole_body: bool
    method: MethodDescriptor

    @property
    def path(self) -> str:
        """The path as OpenAPI writes it."""
        return self.pattern.replace(_REST, "}")

    @property
    def route(self) -> str:
        """The path as Starlette writes it."""
        return self.pattern.replace(_REST, ":path}")

    @property
    def service(self) -> str:
        """The service that serves it: "threads"."""
        package: str = self.method.containing_service.file.package
        return package.split(".")[1]

    @property
    def full_name(self) -> str:
        """What gRPC calls it."""
        return f"/{self.method.containing_service.full_name}/{self.method.name}"

    @property
    def path_parameters(self) -> list[str]:
        """The fields that the path holds."""
        return _PARAMETER.findall(self.path)

    @property
    def request_class(self) -> type[Message]:
        """The class of its request."""
        return GetMessageClass(self.method.input_type)

    @property
    def response_class(self) -> type[Message]:
        """The class of its response."""
        return GetMessageClass(self.method.output_type)

    @property
    def streams(self) -> bool:
        """Whether it answers with server-sent events, or a file."""
        return bool(self.method.server_streaming)

    @property
    def sends_a_file(self) -> bool:
        """Whether what it streams are the pieces of a file."""
        return self.streams and "data" in self.method.output_type.fields_by_name

    @property
    def sends_events(self) -> bool:
        """Whether it answers with server-sent events."""
        return self.streams and not self.sends_a_file

    @property
    def policy(self) -> MethodPolicy:
        """Who may call it."""
        options: Any = self.method.GetOptions()
        policy: MethodPolicy = options.Extensions[method_policy_pb2.policy]
        return policy

    def is_for(self, kind: CallerKind) -> bool:
        """Whether exactly this kind of caller may call it."""
        return list(self.policy.callers) == [kind]


@cache
def bindings() -> tuple[Binding, ...]:
    """Every binding of every RPC that has one."""
    return tuple(_bindings())


def _bindings() -> Iterator[Binding]:
    # By their files: a list of them was forgotten to be added to, and their paths answered 404.
    stubs = {stub for root in chenu.__path__ for stub in Path(root).glob("*/v1/*_service_pb2.py")}
    for stub in sorted(stubs):
        package, version = stub.parts[-3:-1]
        module = import_module(f"chenu.{package}.{version}.{stub.stem}")
        services: Any = module.DESCRIPTOR.services_by_name
        service: ServiceDescriptor
        for service in services.values():
            for method in service.methods:
                rule: HttpRule = method.GetOptions().Extensions[annotations_pb2.http]
                for one in (rule, *rule.additional_bindings):
                    verb = one.WhichOneof("pattern")
                    if verb in _VERBS:
                        yield Binding(verb.upper(), getattr(one, verb), one.body == "*", method)
