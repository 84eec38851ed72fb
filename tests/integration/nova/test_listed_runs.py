"""Runs are listed by time, page by page, and no page is too large for an answer."""

import pytest

from chenu.nova.v1.run_service_pb2 import ListRunsRequest
from services.nova import runs
from tests.support.fleet import Client


async def test_runs_are_listed_by_time_page_by_page_with_a_total(me: Client) -> None:
    made = [(await me.execute("What is a thread?")).run_id for _ in range(3)]
    seen, token = [], ""
    while True:
        page = await me.runs.ListRuns(
            ListRunsRequest(page_size=2, page_token=token, include_total=True),
            metadata=await me.nova(),
        )
        assert page.total_size == 3
        seen += [run.run_id for run in page.runs]
        token = page.next_page_token
        if not token:
            break
    assert seen == made[::-1]


async def test_a_page_of_runs_ends_before_it_is_too_large(
    me: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [(await me.execute("What is a thread? " * 100)).run_id for _ in range(3)]
    whole = await me.runs.ListRuns(ListRunsRequest(), metadata=await me.nova())
    monkeypatch.setattr(runs, "_MOST_BYTES", int(2.5 * whole.runs[0].ByteSize()))
    first = await me.runs.ListRuns(ListRunsRequest(), metadata=await me.nova())
    assert [run.run_id for run in first.runs] == made[:0:-1]
    rest = await me.runs.ListRuns(
        ListRunsRequest(page_token=first.next_page_token), metadata=await me.nova()
    )
    assert [run.run_id for run in rest.runs] == made[:1]
    assert not rest.next_page_token
