"""A browser's EventSource sends no header: its stream is opened with a ticket, once."""

import httpx2

from tests.support.fleet import Client


async def test_a_stream_opens_with_a_ticket_once_and_nothing_else_does(me: Client) -> None:
    run = await me.execute("What is a run?")
    stream = f"/api/v2/nova/runs/{run.run_id}/watch"
    base = f"http://{me.fleet.address('gateway')}"
    async with httpx2.AsyncClient(base_url=base, timeout=30) as http:
        issued = await http.post("/api/v2/auth/tickets", json={"path": stream}, headers=dict(me.me))
        ticket = {"ticket": issued.json()["ticket"]}

        elsewhere = await http.get("/api/v2/checkpoints/watch", params=ticket)
        assert (elsewhere.status_code, elsewhere.json()["reason"]) == (401, "TICKET_INVALID")
        assert (await http.get("/api/v2/threads", params=ticket)).status_code == 400
        async with http.stream("GET", stream, params=ticket) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = [line async for line in answer.aiter_lines()]
        assert "event: pipeline.start" in lines
        assert "event: pipeline.complete" in lines
        again = await http.get(stream, params=ticket)
        assert (again.status_code, again.json()["reason"]) == (401, "TICKET_INVALID")
