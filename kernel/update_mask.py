"""Which fields an update is to set: those that its mask names, never all that it carries."""

from collections.abc import Collection, Iterable

from kernel.errors import InvalidArgument


def named_fields(paths: Iterable[str], editable: Collection[str]) -> list[str]:
    """What a mask's paths name, each once; InvalidArgument for nothing, or for anything else."""
    names = list(dict.fromkeys(paths))
    if not names:
        raise InvalidArgument("update_mask: names no field", field="update_mask")
    for name in names:
        if name not in editable:
            wrong = "update_mask: names a field that cannot be changed"
            raise InvalidArgument(wrong, field=ascii(name))
    return names
