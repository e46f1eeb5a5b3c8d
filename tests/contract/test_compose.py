"""The image and the compose file say what the code has: entry points, settings, health checks, the lock."""

import importlib.util
import re
from typing import Any

import pytest
import yaml

from shared.settings import load_settings
from tests.contract.source_tree import ROOT, STAGES
from tests.support.settings_table import Settings, variable

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
VARIABLES = {variable(field) for field in Settings.model_fields}
INTERPOLATION = re.compile(r"\$\{(\w+):-([^}]*)\}")
"""`${VARIABLE:-default}`: the only form used, so that the file works without an .env."""


def _environment(service: str) -> dict[str, str]:
    """Return a service's environment as it is where nothing is set outside."""
    given = SERVICES[service].get("environment", {})
    return {name: INTERPOLATION.sub(r"\2", str(value)) for name, value in given.items()}


def test_each_stage_is_a_container_that_starts_its_own_module() -> None:
    commands = {stage: SERVICES[stage]["command"] for stage in STAGES}
    assert commands == {stage: ["python", "-m", f"services.{stage}"] for stage in STAGES}


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_container_starts_is_there(stage: str) -> None:
    assert importlib.util.find_spec(f"services.{stage}.__main__")


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "cli"])
def test_a_container_has_a_health_check_and_comes_back(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[service]["restart"] == "unless-stopped"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_checked_by_its_heartbeat(stage: str) -> None:
    check = SERVICES[stage]["healthcheck"]["test"]
    assert check == ["CMD", "python", "-m", "shared.observability.heartbeat"]
    assert importlib.util.find_spec(check[-1])
    assert _environment(stage)["TALLYMAN_HEARTBEAT"].startswith(SERVICES[stage]["tmpfs"][0])


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_can_run_many_times(service: str) -> None:
    if service == "console":  # its port is this machine's; more of it stand behind a proxy that replaces `ports`
        assert SERVICES[service]["ports"] == ["127.0.0.1:8321:8321"]
        return
    assert SERVICES[service].keys().isdisjoint({"container_name", "ports", "hostname", "network_mode"})


def test_every_variable_is_a_setting() -> None:
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in ("docker-compose.yml", ".env.example", "Dockerfile")]
    named = {name for text in texts for name in re.findall(r"TALLYMAN_[A-Z_]+", text)}
    assert {name for name in named if not name.endswith("_")} <= VARIABLES


@pytest.mark.parametrize("service", [*STAGES, "cli"])
def test_the_settings_of_a_container_are_right_and_point_at_both_servers(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in _environment(service).items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.kafka
    assert settings.clickhouse
    assert settings.clickhouse_password
    assert settings.kafka.split(":")[0] in SERVICES
    assert settings.clickhouse.split("/")[2].split(":")[0] in SERVICES
    assert {"kafka", "clickhouse"} == SERVICES[service]["depends_on"].keys()


def test_server_and_services_agree_on_the_password() -> None:
    given = SERVICES["clickhouse"]["environment"]["CLICKHOUSE_PASSWORD"]
    assert given == SERVICES["sink"]["environment"]["TALLYMAN_CLICKHOUSE_PASSWORD"]


def test_the_broker_creates_no_topic_by_itself() -> None:
    assert SERVICES["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_a_stop_leaves_time_to_drain() -> None:
    grace = {service: int(SERVICES[service]["stop_grace_period"].removesuffix("s")) for service in STAGES}
    assert min(grace.values()) > load_settings().drain_seconds * 2


def test_volumes_that_are_mounted_are_declared() -> None:
    mounted = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}
    assert mounted == COMPOSE["volumes"].keys()


def test_the_image_runs_as_an_ordinary_user() -> None:
    last_stage = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (\w+)$", last_stage, re.MULTILINE) == ["tallyman"]


def test_the_image_holds_the_pinned_packages_and_no_other() -> None:
    installs = re.findall(r"^RUN pip install (.*)$", DOCKERFILE, re.MULTILINE)
    assert ["--require-hashes" in line and line.rpartition(" ")[2] for line in installs] == [
        "requirements-build.lock",
        "requirements.lock",
        False,
    ]
    assert "--no-deps" in installs[2]
    assert "requirements-dev" not in DOCKERFILE


@pytest.mark.parametrize("lock", ["requirements-build.lock", "requirements.lock"])
def test_the_image_and_make_install_a_lock_with_the_same_options(lock: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    image, make = (
        re.findall(rf"(?:pip|\$\(PIP\)) install (?:--no-cache-dir )?(.*) --requirement {lock}$", text, re.MULTILINE)
        for text in (DOCKERFILE, makefile)
    )
    assert len(image) == 1
    assert image == make


def test_what_the_image_copies_reaches_the_builder() -> None:
    allowed = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied = {
        name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()
    }
    assert copied == allowed
