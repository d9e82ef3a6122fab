"""Native mode and Compose are one system: table and Compose file agree, and no difference goes unseen."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tracewright.stack.fleet import fleet
from tracewright.stack.settings import read_env_file
from tracewright.tests.stack.parity import Files, differences

ROOT = Path(__file__).resolve().parents[3]
# The module that is the same program as a pinned image, and how its version reads as the image's.
SAME_PROGRAM: dict[str, tuple[str, str, Callable[[str], str]]] = {
    "ALERTMANAGER_IMAGE": (
        "alertmanager/go.mod",
        "github.com/prometheus/alertmanager",
        lambda version: f"v{version}",
    ),
    "COLLECTOR_IMAGE": (
        "collector/go.mod",
        "go.opentelemetry.io/collector/receiver/otlpreceiver",
        lambda version: version,
    ),
    "NODE_EXPORTER_IMAGE": (
        "node-exporter/go.mod",
        "github.com/prometheus/node_exporter",
        lambda version: f"v{version}",
    ),
    # Prometheus 3.15.0 is the module's 0.315.0.
    "PROMETHEUS_IMAGE": (
        "prometheus/go.mod",
        "github.com/prometheus/prometheus",
        lambda version: re.sub(r"^0\.(\d)(\d\d)\.(\d+)$", r"v\1.\2.\3", version),
    ),
}


def read() -> Files:
    return Files(
        compose=yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8")),
        env=read_env_file(ROOT / ".env"),
        targets=json.loads((ROOT / "prometheus/targets/compose.json").read_text(encoding="utf-8")),
    )


def test_compose_is_the_native_table_in_containers() -> None:
    assert differences(fleet(), read()) == []


def service(name: str) -> Callable[[Files], dict[str, Any]]:
    return lambda files: files.compose["services"][name]


def without(name: str) -> Callable[[Files], object]:
    return lambda files: files.compose["services"].pop(name)


SEEDED: dict[str, tuple[Callable[[Files], object], str]] = {
    "a component is missing": (without("rust-service"), "rust-service: only natively"),
    "a component is new": (
        lambda files: files.compose["services"].update(redis={}),
        "redis: only in Compose",
    ),
    "a variable is missing": (
        lambda files: service("go-service")(files)["environment"].pop("OTEL_PROPAGATORS"),
        "go-service: OTEL_PROPAGATORS is not set",
    ),
    "a variable is new": (
        lambda files: service("frontend")(files)["environment"].update(DEBUG="1"),
        "frontend: DEBUG is set, natively it is not",
    ),
    "a value differs": (
        lambda files: service("otel-collector")(files)["environment"].update(GOMEMLIMIT="1GiB"),
        "otel-collector: GOMEMLIMIT is 1GiB, expected 160MiB",
    ),
    "an address is wrong": (
        lambda files: service("python-service")(files)["environment"].update(
            RUST_SERVICE_URL="http://rust-service:8080"
        ),
        "python-service: RUST_SERVICE_URL is http://rust-service:8080, expected http://rust-service:8003",
    ),
    "a default differs": (
        lambda files: service("rust-service")(files)["environment"].update(
            OTEL_BSP_SCHEDULE_DELAY="${OTEL_BSP_SCHEDULE_DELAY:-5000}"
        ),
        "rust-service: OTEL_BSP_SCHEDULE_DELAY is 5000, expected 500",
    ),
    "a port is not published": (
        lambda files: service("tempo")(files).pop("ports"),
        "store: port TEMPO_PORT is not published",
    ),
    "a port is open to everybody": (
        lambda files: service("prometheus")(files).update(ports=["${PROMETHEUS_PORT}:9090"]),
        "prometheus: port ${PROMETHEUS_PORT}:9090 is not 127.0.0.1:${VARIABLE}:number",
    ),
    "a port cannot be moved": (
        lambda files: service("prepare")(files).update(ports=["127.0.0.1:${NO_SUCH_PORT}:1"]),
        "prepare: NO_SUCH_PORT is not in .env",
    ),
    "a dependency is missing": (
        lambda files: service("otel-collector")(files)["depends_on"].pop("prometheus"),
        "otel-collector: does not wait for prometheus",
    ),
    "a dependency is new": (
        lambda files: service("frontend")(files)["depends_on"].update(
            {"go-service": {"condition": "service_healthy"}}
        ),
        "frontend: waits for go-service, natively it does not",
    ),
    "a dependency is not by health": (
        lambda files: service("go-service")(files)["depends_on"].update(
            postgres={"condition": "service_started"}
        ),
        "go-service: depends on postgres by service_started, not service_healthy",
    ),
    "a health check asks elsewhere": (
        lambda files: service("quickwit")(files)["healthcheck"].update(
            test=["CMD", "/usher/usher", "probe", "http://127.0.0.1:7280/health/livez"]
        ),
        "quickwit: its health check asks [(7280, '/health/livez')], expected [(7280, '/health/readyz')]",
    ),
    "a health check is missing": (
        lambda files: service("postgres")(files).pop("healthcheck"),
        "postgres: its health check asks no SELECT 1",
    ),
    "a flag is missing": (
        lambda files: service("prometheus")(files)["command"].remove("--enable-feature=exemplar-storage"),
        "prometheus: --enable-feature is None, natively exemplar-storage",
    ),
    "a database setting differs": (
        lambda files: service("postgres")(files)["command"].remove("-cmax_connections=60"),
        "postgres: max_connections is None, natively 60",
    ),
    "it is stopped in another way": (
        lambda files: service("postgres")(files).pop("stop_signal"),
        "postgres: is stopped by SIGTERM, natively by SIGINT",
    ),
    "it has less time to stop": (
        lambda files: service("otel-collector")(files).update(stop_grace_period="1s"),
        "otel-collector: has 1s to stop, natively 15s",
    ),
    "a component is not scraped": (
        lambda files: files.targets.pop(0),
        "frontend: is scraped at port None, expected 3001",
    ),
}


@pytest.mark.parametrize("name", SEEDED)
def test_a_seeded_difference_is_seen(name: str) -> None:
    seed, sentence = SEEDED[name]
    # Anchors of the YAML file are shared objects; a seed changes one service alone.
    changed = json.loads(json.dumps(read().compose))
    files = Files(copy.deepcopy(changed), read().env, read().targets)
    seed(files)
    assert sentence in differences(fleet(), files)


def test_tempos_service_graph_is_sampled_as_the_native_one_and_misses_nothing_that_was_held() -> None:
    generator = yaml.safe_load((ROOT / "tempo/tempo.yaml").read_text(encoding="utf-8"))["metrics_generator"]
    scraping = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text(encoding="utf-8"))["global"]
    assert generator["registry"]["collection_interval"] == scraping["scrape_interval"]
    sender = ROOT / "services/python-service/python_service/telemetry/hold.py"
    held_s = re.search(r"^HOLD_S = (\d+)$", sender.read_text(encoding="utf-8"), re.MULTILINE)
    assert held_s
    counted_min = re.fullmatch(r"(\d+)m", generator["metrics_ingestion_time_range_slack"])
    assert counted_min
    assert int(counted_min[1]) * 60 > int(held_s[1])


@pytest.mark.parametrize("variable", SAME_PROGRAM)
def test_an_image_is_pinned_as_the_native_program_is(variable: str) -> None:
    module_file, module, spelled = SAME_PROGRAM[variable]
    text = (ROOT / module_file).read_text(encoding="utf-8")
    required = re.search(rf"^\s*{re.escape(module)} v(\S+)", text, re.MULTILINE)
    assert required, f"{module} is not in {module_file}"
    assert read().env[variable].partition(":")[2] == spelled(required[1])


def test_our_images_have_the_version_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert read().env["TRACEWRIGHT_VERSION"] == project["version"]


def test_every_image_is_pinned_to_a_full_version() -> None:
    env = read().env
    files = read()
    for name, row in files.services.items():
        image = files.resolve(row["image"])
        assert re.search(r":v?\d+(\.\d+)+$|^postgres:17-bookworm$", image), f"{name}: {image}"
    assert all(not value.endswith("latest") for value in env.values())


def test_no_container_is_privileged_or_reaches_the_docker_socket() -> None:
    for name, row in read().services.items():
        assert not row.get("privileged"), name
        assert row["cap_drop"] == ["ALL"], name
        assert row["security_opt"] == ["no-new-privileges:true"], name
        assert row["read_only"] is True, name
        assert row["mem_limit"], name
        assert "docker.sock" not in json.dumps(row), name
        assert row.get("network_mode", "none") == "none", name
