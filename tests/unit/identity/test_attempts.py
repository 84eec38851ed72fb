"""Which addresses count as one."""

import pytest

from kernel.caller import Caller
from kernel.context import CallContext
from services.identity.attempts import counted_address, origin_of


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7 ", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("", "unknown"),
        ("unix", "unknown"),
        ("192.0.2.7:4711", "unknown"),
        ("<script>", "unknown"),
    ],
)
def test_the_addresses_of_one_host_count_as_one(address: str, counted: str) -> None:
    assert counted_address(address) == counted


@pytest.mark.parametrize(
    ("service", "forwarded", "origin"),
    [
        ("", "203.0.113.9", "192.0.2.7"),
        ("nova", "203.0.113.9", "192.0.2.7"),
        ("gateway", "203.0.113.9", "203.0.113.9"),
        ("gateway", "10.0.0.1, 203.0.113.9", "203.0.113.9"),
        ("gateway", "", "192.0.2.7"),
        ("gateway", "nonsense", "unknown"),
    ],
)
def test_only_the_gateway_speaks_for_other_addresses(
    service: str, forwarded: str, origin: str
) -> None:
    metadata = {"x-forwarded-for": forwarded} if forwarded else {}
    call = CallContext(
        "/test",
        caller=Caller.system(service=service),
        peer_ip="192.0.2.7",
        metadata=metadata,
    )
    assert origin_of(call) == origin
