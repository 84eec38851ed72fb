"""What an update of an endpoint may say. Rules: no I/O."""

from collections.abc import Iterable
from typing import Any, Final

from chenu.courier.v1.endpoint_pb2 import Endpoint
from kernel.errors import InvalidArgument
from kernel.update_mask import named_fields

MAX_NAME: Final = 255
_EDITABLE: Final = ("name", "url", "idempotent", "disabled")


def edited_columns(endpoint: Endpoint, paths: Iterable[str]) -> dict[str, Any]:
    """The columns that these paths of the update mask set."""
    wanted = named_fields(paths, _EDITABLE)
    if "name" in wanted and not 1 <= len(endpoint.name) <= MAX_NAME:
        raise InvalidArgument(
            f"endpoint.name: must have 1 to {MAX_NAME} characters", field="endpoint.name"
        )
    return {path: getattr(endpoint, path) for path in wanted}
