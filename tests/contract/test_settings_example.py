"""`.env.example` names every setting there is."""

from pathlib import Path

from deploy.settings_example import example

ROOT = Path(__file__).resolve().parents[2]


def test_the_example_is_what_the_settings_classes_say() -> None:
    written = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert written == example(), "run: python -m deploy.settings_example > .env.example"


def test_settings_of_every_sort_are_in_it() -> None:
    lines = example().splitlines()
    for line in (
        "# CHENU_DRAIN_SECONDS=5.0",  # of all services
        "# CHENU_COURIER_ALLOWED_PRIVATE=",  # of one
        "# CHENU_NOVA_POOL_SIZE=10",  # of each
        "CHENU_THREADS_DATABASE_URL=",  # to be set
        "# CHENU_STATE=",  # of the command
    ):
        assert line in lines, line
    assert not any("GATEWAY_DATABASE_URL" in line for line in lines)
