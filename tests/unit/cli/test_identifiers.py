"""Ids as people type them."""

from collections.abc import AsyncIterator

import pytest

from chenu.threads.v1.thread_pb2 import Thread
from chenu.threads.v1.thread_service_pb2 import ListThreadsRequest, ListThreadsResponse
from cli.identifiers import every, resolve
from cli.problems import UsageProblem
from cli.words import RUN_STATES, SPHERES, choices, number

ONE = "01920000-0000-7000-8000-00000000aaaa"
TWO = "01920000-0000-7000-8000-00000001aaaa"
THREE = "02920000-0000-7000-8000-00000000bbbb"


async def known() -> AsyncIterator[tuple[str, str]]:
    for pair in ((ONE, "Taxes"), (TWO, "Taxes"), (THREE, "Beef 1234")):
        yield pair


@pytest.mark.parametrize("typed", ["0000bbbb", "…0000bbbb", "BBBB", "0292", f" {THREE} "])
async def test_a_beginning_or_an_end_that_fits_one_is_enough(typed: str) -> None:
    assert await resolve(typed, "run", known()) == THREE


async def test_a_whole_id_is_taken_as_it_is() -> None:
    unknown = "01920000-0000-7000-8000-0000000000ff"
    assert await resolve(unknown.upper(), "run", known()) == unknown


async def test_what_fits_two_is_refused_naming_both() -> None:
    with pytest.raises(UsageProblem, match=r"more than one run: 0000aaaa \(Taxes\), 0001aaaa"):
        await resolve("aaaa", "run", known())


@pytest.mark.parametrize("typed", ["ffff", "abc", "Beef 1234"])
async def test_what_fits_none_is_refused(typed: str) -> None:
    with pytest.raises(UsageProblem, match="no run fits"):
        await resolve(typed, "run", known())


async def test_things_with_names_are_found_by_name_in_any_case() -> None:
    assert await resolve("beef 1234", "thread", known(), by_name=True) == THREE
    with pytest.raises(UsageProblem, match="more than one thread"):
        await resolve("Taxes", "thread", known(), by_name=True)


def test_words_of_options_come_from_the_contract() -> None:
    assert choices(RUN_STATES)[0] == "pending"
    assert number(SPHERES, "My Team", "--sphere") == number(SPHERES, "my-team", "--sphere") == 9
    assert number(SPHERES, "", "--sphere") == 0
    with pytest.raises(UsageProblem, match="--sphere knows no 'moon'; it takes one of: personal"):
        number(SPHERES, "moon", "--sphere")
    with pytest.raises(UsageProblem):
        number(SPHERES, "unspecified", "--sphere")


async def test_an_id_is_looked_for_on_every_page_however_many_there_are() -> None:
    pages = 60

    async def call(request: ListThreadsRequest) -> ListThreadsResponse:
        number = int(request.page_token or 1)
        made = Thread(thread_id=f"02920000-0000-7000-8000-{number:012d}", title="Taxes")
        following = str(number + 1) if number < pages else ""
        return ListThreadsResponse(threads=[made], next_page_token=following)

    known = every(call, ListThreadsRequest(), "threads", lambda one: str(one.title))
    assert (await resolve(f"{pages:08d}", "thread", known)).endswith(str(pages))
