"""What holds the fleet's keys, for the tests of the gateway."""

from collections.abc import Mapping

import pytest

from tests.laws.hands import Hands
from tests.support.fleet import Fleet


@pytest.fixture(scope="session")
def hands(fleet: Fleet, fleet_environment: Mapping[str, str]) -> Hands:
    return Hands(fleet, fleet_environment)
