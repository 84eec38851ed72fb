"""The comments of the protos, which the generated code leaves out and the descriptor set keeps."""

from functools import cache
from importlib.resources import files
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet


def comment_of(full_name: str) -> str:
    """The leading comment of a service, RPC, message or field; empty where there is none."""
    return _comments().get(full_name, "")


@cache
def _comments() -> dict[str, str]:
    data = files("chenu").joinpath("../chenu.binpb").read_bytes()
    comments: dict[str, str] = {}
    for file in FileDescriptorSet.FromString(data).file:
        if file.package.startswith("chenu."):
            for location in file.source_code_info.location:
                name = _name(file, location.path)
                if name and location.leading_comments:
                    comments[name] = " ".join(location.leading_comments.split())
    return comments


def _name(file: Any, path: Any) -> str:
    """What a location's path points at: numbers of fields and indexes, in turn."""
    node, name = file, file.package
    for field_number, index in zip(path[::2], path[1::2], strict=False):
        field = node.DESCRIPTOR.fields_by_number.get(field_number)
        if field is None or not field.is_repeated or field.message_type is None:
            return ""
        node = getattr(node, field.name)[index]
        if not hasattr(node, "name"):
            return ""
        name += f".{node.name}"
    return name if len(path) % 2 == 0 else ""
