"""The container files are valid and say what the settings say; no engine is needed for that."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_pydantic import ComposeSpecification

from deploy.local.ports import DEFAULT_PORTS
from kernel.settings import SECRETS, SharedSettings
from tests.support.fleet import program

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return document


def test_compose_is_a_valid_compose_file(compose: dict[str, Any]) -> None:
    # Extension fields are the specification's own, and the parser does not know them.
    ComposeSpecification.model_validate({k: v for k, v in compose.items() if k[:2] != "x-"})


def test_every_service_of_the_fleet_is_there_with_a_health_check_and_its_own_keys_only(
    compose: dict[str, Any],
) -> None:
    for service in DEFAULT_PORTS:
        definition = compose["services"][service]
        assert definition["command"] == ["python", "-m", "services", service]
        assert str(DEFAULT_PORTS[service]) in str(definition["healthcheck"]["test"])
        mounted = {volume.split(":")[0] for volume in definition["volumes"]}
        assert mounted == {"keys-public", f"keys-{service}"}


def test_the_witness_has_a_key_that_nobody_else_has_and_audit_knows_it_by_its_public_one(
    compose: dict[str, Any],
) -> None:
    witness = compose["services"]["witness"]
    assert {v.split(":")[0] for v in witness["volumes"]} == {"keys-public", "keys-witness"}
    others = {n: s for n, s in compose["services"].items() if n not in ("witness", "provision")}
    assert not any("keys-witness" in str(one) for one in others.values())
    variables = compose["services"]["audit"]["environment"]
    assert variables["CHENU_AUDIT_WITNESS_URLS"] == "http://witness:8090"
    assert "--listen=0.0.0.0:8090" in witness["command"]


def test_every_variable_is_a_setting_that_its_service_reads(compose: dict[str, Any]) -> None:
    for service in DEFAULT_PORTS:
        known = {
            f"{settings.model_config['env_prefix']}{name}".upper()
            for settings in (SharedSettings, program(service).settings_class)
            for name in settings.model_fields
        }
        variables = compose["services"][service]["environment"]
        assert set(variables) <= known | {SECRETS}, set(variables) - known


def test_nothing_runs_as_root_but_the_one_shot_that_lays_out_the_keys(
    compose: dict[str, Any],
) -> None:
    for name in DEFAULT_PORTS:
        definition = compose["services"][name]
        assert definition["cap_drop"] == ["ALL"]
        assert definition["read_only"] is True
        assert "user" not in definition
    assert re.search(r"^USER 10001$", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE)


def test_the_image_holds_every_package_that_it_is_told_to_copy() -> None:
    copied = re.findall(r"^COPY (\w+) \w+$", (ROOT / "deploy/Dockerfile").read_text(), re.MULTILINE)
    assert {"kernel", "chenu_gate", "services", "cli", "deploy"} <= set(copied)
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    for folder in copied:
        assert (ROOT / folder).is_dir()
        assert f"!{folder}" in sent, "the engine is not given it"


def test_nats_acknowledges_only_what_is_on_the_disk() -> None:
    assert "sync_interval: always" in (ROOT / "deploy/nats/nats.conf").read_text()


def test_the_keys_are_handed_over_without_touching_the_image_itself(
    compose: dict[str, Any],
) -> None:
    provision = compose["services"]["provision"]
    assert provision["read_only"] is True
    assert provision["command"][-1].endswith("chown -R 10001:10001 /keys/*")
