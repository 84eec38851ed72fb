"""What the gateway refuses to be told."""

import pytest
from pydantic import ValidationError

from services.gateway.settings import GatewaySettings


def test_no_page_is_let_in_without_its_origin_being_named() -> None:
    assert GatewaySettings(cors_origins=("https://app.example",)).cors_origins
    with pytest.raises(ValidationError, match="name each origin"):
        GatewaySettings(cors_origins=("https://app.example", "*"))


@pytest.mark.parametrize("listen", ["8080x", "localhost", "0.0.0.0:70000", "[::1]:", ""])
def test_an_address_without_a_port_is_refused_by_its_name(listen: str) -> None:
    assert GatewaySettings(listen="[::1]:0").listen
    with pytest.raises(ValidationError, match=r"listen\n.*takes host:port"):
        GatewaySettings(listen=listen)
