"""What a model is told of what was said: the last of it, as much as it can read."""

import pytest

from services.nova.lanes.context import latest

SAID = [{"role": "human", "content": letter * 10} for letter in "abc"]


@pytest.mark.parametrize(
    ("room", "kept"), [(100, "abc"), (30, "abc"), (29, "bc"), (10, "c"), (9, "c"), (0, "c")]
)
def test_the_last_that_was_said_is_told_in_its_order(room: int, kept: str) -> None:
    assert "".join(message["content"][0] for message in latest(SAID, room)) == kept


def test_where_nothing_was_said_nothing_is_told() -> None:
    assert latest([], 10) == []
