"""How many event streams a person may have open."""

from collections.abc import AsyncIterator

import jwt
import pytest

from services.gateway.open_streams import OpenStreams, TooManyStreams


def token(person: str) -> str:
    return jwt.encode({"sub": person}, "k" * 32)


async def numbers(*given: int) -> AsyncIterator[int]:
    for number in given:
        yield number


async def refuses(*given: int) -> AsyncIterator[int]:
    for number in given:
        if number:
            raise PermissionError
        yield number


async def test_one_stream_too_many_is_refused_until_another_ends() -> None:
    streams = OpenStreams(2)
    ada = [streams.counted(token("ada"), numbers(1, 2)) for _ in range(3)]
    assert [await anext(one) for one in ada[:2]] == [1, 1]
    with pytest.raises(TooManyStreams) as refused:
        await anext(ada[2])
    assert refused.value.retry_after
    assert [number async for number in streams.counted(token("bob"), numbers(1, 2))] == [1, 2]
    assert [number async for number in ada[0]] == [2]
    assert await anext(streams.counted(token("ada"), numbers(3))) == 3


async def test_a_stream_that_is_broken_off_counts_no_more() -> None:
    streams = OpenStreams(1)
    for _ in range(3):
        one = streams.counted(token("ada"), numbers(1, 2))
        assert await anext(one) == 1
        await one.aclose()  # type: ignore[attr-defined]


async def test_what_the_service_refuses_uses_nothing_up() -> None:
    streams = OpenStreams(1)
    for _ in range(3):
        with pytest.raises(PermissionError):
            await anext(streams.counted(token("ada"), refuses(1)))
    assert [number async for number in streams.counted(token("ada"), numbers())] == []
    assert await anext(streams.counted(token("ada"), numbers(1))) == 1
