"""The pipeline of `docker-compose.yml`: what it opens, what it asks for, and in which order it starts."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.compose.conftest import CHECKOUT, Read
from tests.queries.engine import engine

pytestmark = pytest.mark.timeout(900)  # the first build fetches its modules

ONE_SHOT = {"schema", "queue"}


def test_nothing_starts_without_its_passwords(read: Read, secrets: Mapping[str, str]) -> None:
    """There is no default password: each missing variable is named, and nothing starts."""
    for name in secrets:
        done = read({other: value for other, value in secrets.items() if other != name})
        assert done.returncode == 1
        assert f"required variable {name} is missing a value" in done.stderr


def test_an_empty_password_is_none(read: Read, secrets: Mapping[str, str]) -> None:
    """A copy of `.env.example` that nobody filled in does not start either."""
    done = read(dict.fromkeys(secrets, ""))
    assert done.returncode == 1


def test_ports_are_on_loopback(project: Mapping[str, Any]) -> None:
    """Who wants them on the network says so."""
    ports = [port for service in project["services"].values() for port in service.get("ports") or []]
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}
    assert sorted(int(port["published"]) for port in ports) == [3000, 4317, 4318, 8123, 8124, 16686]


def test_every_service_has_limits_and_a_pinned_image(project: Mapping[str, Any]) -> None:
    """No service takes the machine, and none changes by itself."""
    for name, service in project["services"].items():
        if name not in {"queue"}:
            limits = service["deploy"]["resources"]["limits"]
            assert int(limits["memory"]) > 0
            assert limits["cpus"] > 0
        assert "build" in service or ":" in service["image"]
        assert not service.get("image", "").endswith(":latest")
        assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped")


@pytest.mark.parametrize("name", ["collector", "jaeger"])
def test_go_collects_before_memory_is_short(project: Mapping[str, Any], name: str) -> None:
    """Go knows three quarters of what the service may use; the limits of the collector's pipelines count on it."""
    service = project["services"][name]
    limit = int(service["deploy"]["resources"]["limits"]["memory"])
    assert service["environment"]["GOMEMLIMIT"] == f"{limit * 3 // 4 // 2**20}MiB"


def test_no_secret_gets_into_an_image() -> None:
    """The schema service is built from what is listed; a layer of an image keeps what a later one removes."""
    lines = [line for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    kept = {line.removeprefix("!") for line in lines if line.startswith("!")}
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert kept == {"LICENSE", "README.md", "pyproject.toml", *wheel["packages"], *wheel["force-include"]}


def test_the_order_of_the_start(project: Mapping[str, Any]) -> None:
    """Who needs tables waits for them, and the schema waits for a server that answers."""
    needs = {
        name: {other: how["condition"] for other, how in (service.get("depends_on") or {}).items()}
        for name, service in project["services"].items()
    }
    assert needs["schema"] == {"clickhouse": "service_healthy"}
    assert needs["collector"]["schema"] == "service_completed_successfully"
    assert needs["collector"]["queue"] == "service_completed_successfully"
    assert needs["grafana"] == {"schema": "service_completed_successfully"}
    assert "http://clickhouse:8123/ping" in project["services"]["clickhouse"]["healthcheck"]["test"]


def test_mounted_files_are_there(project: Mapping[str, Any]) -> None:
    """Docker would make a folder of a file that is missing, and the service would start without it."""
    mounted = [
        volume["source"]
        for service in project["services"].values()
        for volume in service.get("volumes") or []
        if volume["type"] == "bind"
    ]
    names = [Path(source).relative_to(Path(source).parents[_depth(source)]) for source in mounted]
    assert names
    assert [str(name) for name in names if not (CHECKOUT / name).exists()] == []


def _depth(source: str) -> int:
    """Return how far below the folder of the file `source` is: it was read from a copy in another folder."""
    parts = Path(source).parts
    return len(parts) - parts.index(next(part for part in parts if part in {"clickhouse", "collector", "grafana"})) - 1


def test_the_collector_gets_every_variable_of_its_configuration(project: Mapping[str, Any]) -> None:
    """A variable without a value would be an empty text in the collector."""
    text = (CHECKOUT / "collector" / "config.yaml").read_text()
    named = {
        name for name, default in re.findall(r"\$\{env:(\w+)(:-[^}]*)?\}", re.sub(r"#.*", "", text)) if not default
    }
    assert named
    assert named <= project["services"]["collector"]["environment"].keys()


@pytest.mark.long
def test_the_server_is_the_version_of_the_embedded_engine(project: Mapping[str, Any]) -> None:
    """What is tested is what runs."""
    version = str(engine().command("select version()"))
    assert project["services"]["clickhouse"]["image"].endswith(":" + ".".join(version.split(".")[:2]))


def test_the_schema_is_made_by_an_administrator_whose_rights_views_have() -> None:
    """Readers have no right on any table: the views that they read run as who made them."""
    profile = yaml.safe_load((CHECKOUT / "clickhouse/users.d/otel_costs.yaml").read_text())["profiles"]["default"]
    known = engine().query("select name from system.settings").result_columns[0]
    assert set(profile) <= set(known)
    assert profile["default_normal_view_sql_security"] == "DEFINER"


def test_system_logs_are_bounded() -> None:
    """Each log that is kept ends by itself."""
    configured = yaml.safe_load((CHECKOUT / "clickhouse/config.d/otel_costs.yaml").read_text())
    logs = {name: value for name, value in configured.items() if name.endswith("_log")}
    assert len(logs) > 10
    for name, value in logs.items():
        assert value == {"@remove": "1"} or value["ttl"].endswith("interval 7 day"), name
