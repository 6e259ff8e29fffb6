"""compose.yaml is valid, safe by default, and agrees with the image."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema.validators import validator_for

from engine.config import Worker

DOCKER = Path(__file__).parents[2] / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_it_follows_the_compose_specification() -> None:
    package = find_spec("check_jsonschema")
    if package is None or package.origin is None:
        pytest.skip(
            "the schema of the compose specification comes with check-jsonschema, which is not installed"
        )
    path = Path(package.origin).parent / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    errors = [
        f"{error.json_path}: {error.message}" for error in validator_for(schema)(schema).iter_errors(COMPOSE)
    ]
    assert errors == []


def test_ports_are_bound_to_the_loopback_address() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_no_password_is_written_down() -> None:
    assert SERVICES["database"]["environment"] == {"POSTGRES_PASSWORD_FILE": "/run/secrets/database_password"}
    assert COMPOSE["secrets"] == {"database_password": {"environment": "POSTGRES_PASSWORD"}}
    assert SERVICES["migrate"]["environment"]["PGPASSWORD"].startswith("${POSTGRES_PASSWORD:?")


def test_all_that_the_database_writes_is_in_a_named_volume() -> None:
    mounts = dict(mount.split(":") for mount in SERVICES["database"]["volumes"])
    assert set(mounts) == set(COMPOSE["volumes"])
    assert sorted(mounts.values()) == [
        "/var/lib/mnemo/cold",
        "/var/lib/mnemo/hot",
        "/var/lib/mnemo/warm",
        "/var/lib/postgresql",
    ]


def test_the_schema_is_installed_once_the_server_listens() -> None:
    assert SERVICES["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    check = SERVICES["database"]["healthcheck"]["test"]
    assert check[:2] == ["CMD", "pg_isready"]
    assert "--host=127.0.0.1" in check


def test_the_worker_starts_once_the_schema_is_there_and_has_time_to_stop() -> None:
    worker = SERVICES["worker"]
    assert worker["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert worker["image"] == SERVICES["migrate"]["image"]
    assert worker["environment"]["MNEMO_DSN"] == SERVICES["migrate"]["environment"]["MNEMO_DSN"]
    assert float(worker["stop_grace_period"].removesuffix("s")) > Worker().grace_seconds


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_built_from_a_stage_of_the_dockerfile(name: str) -> None:
    build = SERVICES[name]["build"]
    assert (DOCKER / build["context"] / build["dockerfile"]).samefile(DOCKER / "Dockerfile")
    assert f" AS {build['target']}\n" in (DOCKER / "Dockerfile").read_text(encoding="utf-8")
    assert not SERVICES[name]["image"].endswith(":latest")
