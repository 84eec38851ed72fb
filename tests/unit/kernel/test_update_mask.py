"""What an update mask may name."""

import pytest

from kernel.errors import InvalidArgument
from kernel.update_mask import named_fields

EDITABLE = ("title", "tags")


def test_each_field_is_named_once_in_its_order() -> None:
    assert named_fields(["tags", "title", "tags"], EDITABLE) == ["tags", "title"]


@pytest.mark.parametrize(
    ("paths", "field"), [([], "update_mask"), (["title", "o\u202ewner"], "'o\\u202ewner'")]
)
def test_a_mask_that_names_nothing_or_anything_else_is_refused(
    paths: list[str], field: str
) -> None:
    with pytest.raises(InvalidArgument, match=r"^update_mask: names") as refused:
        named_fields(paths, EDITABLE)
    assert refused.value.metadata == {"field": field}
