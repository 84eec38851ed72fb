import pytest

from kernel.settings import SettingsError, load
from services.courier.settings import CourierSettings


@pytest.fixture(autouse=True)
def of_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "WORKER_DATABASE_URL"):
        monkeypatch.setenv(f"CHENU_COURIER_{name}", "postgresql://courier@127.0.0.1/chenu")


def test_settings_name_the_private_addresses_that_may_be_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHENU_COURIER_ALLOWED_PRIVATE", "127.0.0.1:8099,10.0.0.0/8")

    (settings,) = load(CourierSettings)

    assert ("127.0.0.1", 8099) in settings.policy.hosts


def test_all_that_is_wrong_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHENU_COURIER_ALLOWED_PRIVATE", "everything")
    monkeypatch.setenv("CHENU_COURIER_ALLOWED_PORTS", "http")
    monkeypatch.setenv("CHENU_COURIER_ATTEMPTS", "0")

    with pytest.raises(SettingsError) as wrong:
        load(CourierSettings)

    for name in ("ALLOWED_PRIVATE", "ALLOWED_PORTS", "ATTEMPTS"):
        assert f"CHENU_COURIER_{name}" in str(wrong.value)


def test_a_delivery_is_given_up_later_than_its_last_attempt_can_end() -> None:
    settings = CourierSettings(timeout_seconds=8, attempts=3, retry_seconds=0.5)

    assert settings.running_seconds > 3 * 8 + 0.5 + 1
