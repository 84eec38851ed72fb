"""The chain around every call, seen from the wire."""

from kernel import interceptors
from tests.unit.kernel.conftest import Running
from tests.unit.kernel.sample import Request, bearer


def test_the_chain_stands_in_its_order() -> None:
    names = [interceptor.__name__ for interceptor in interceptors.CHAIN]
    assert names == ["open_context", "log_access", "map_errors", "authenticate", "validate"]


async def test_a_call_with_an_access_token_reaches_the_servicer(running: Running) -> None:
    token = running.issuer.access(roles=["owner"])
    answer = await running.stub.Echo(Request(text="hello"), metadata=bearer(token))
    assert answer.text == "hello"
    caller = running.servicer.callers[-1]
    assert caller.roles == ("owner",)
    assert caller.token == token
