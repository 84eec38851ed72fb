"""Types of the gRPC stubs, which protoc writes without any.

Only the asyncio side is described: no part of the fleet uses the other.
"""

from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)


class StubTypes:
    """Writes the .pyi beside each `_pb2_grpc.py`."""

    def __init__(self, image: FileDescriptorSet) -> None:
        self._services = [file for file in image.file if file.service]
        self._modules = {
            f".{file.package}.{message.name}": _module(file)
            for file in image.file
            for message in file.message_type
        }

    def write(self, target: Path) -> None:
        """Writes all of them under `target`."""
        for file in self._services:
            path = target / f"{file.name.removesuffix('.proto')}_pb2_grpc.pyi"
            path.write_text(self._file(file), encoding="utf-8")

    def _file(self, file: FileDescriptorProto) -> str:
        messages = {
            name
            for service in file.service
            for rpc in service.method
            for name in (rpc.input_type, rpc.output_type)
        }
        imports = sorted({f"import {self._modules[name]}" for name in messages})
        head = ["from collections.abc import AsyncIterator", "", "import grpc.aio", "", *imports]
        return "\n".join([*head, *(self._service(service) for service in file.service), ""])

    def _service(self, service: ServiceDescriptorProto) -> str:
        stub = [f"    {rpc.name}: {self._callable(rpc)}" for rpc in service.method]
        servicer = [self._method(rpc) for rpc in service.method]
        return "\n".join(
            [
                f"\nclass {service.name}Stub:",
                "    def __init__(self, channel: grpc.aio.Channel) -> None: ...",
                *stub,
                f"\nclass {service.name}Servicer:",
                *servicer,
                f"\ndef add_{service.name}Servicer_to_server(",
                f"    servicer: {service.name}Servicer, server: grpc.aio.Server",
                ") -> None: ...",
            ]
        )

    def _callable(self, rpc: MethodDescriptorProto) -> str:
        sides = [
            "Stream" if streams else "Unary"
            for streams in (rpc.client_streaming, rpc.server_streaming)
        ]
        return f"grpc.aio.{''.join(sides)}MultiCallable[{self._messages(rpc)}]"

    def _method(self, rpc: MethodDescriptorProto) -> str:
        request, response = self._message(rpc.input_type), self._message(rpc.output_type)
        if rpc.client_streaming:
            request = f"AsyncIterator[{request}]"
        # An async generator is called without await, so a stream's method is a plain def.
        keyword = "def" if rpc.server_streaming else "async def"
        if rpc.server_streaming:
            response = f"AsyncIterator[{response}]"
        context = f"grpc.aio.ServicerContext[{self._messages(rpc)}]"
        return (
            f"    {keyword} {rpc.name}(\n"
            f"        self, request: {request}, context: {context}\n"
            f"    ) -> {response}: ..."
        )

    def _messages(self, rpc: MethodDescriptorProto) -> str:
        return f"{self._message(rpc.input_type)}, {self._message(rpc.output_type)}"

    def _message(self, name: str) -> str:
        return f"{self._modules[name]}.{name.rpartition('.')[2]}"


def _module(file: FileDescriptorProto) -> str:
    return f"{file.name.removesuffix('.proto').replace('/', '.')}_pb2"
