"""The table of components: complete, consistent, and filled from the stack's variables alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tracewright.stack.component import Component, HttpReady, with_needs
from tracewright.stack.fleet import DEFAULT, FAST, endpoints, fleet, stack_variables
from tracewright.stack.launching import INSTANCE, as_instance
from tracewright.stack.paths import StackPaths
from tracewright.stack.ports import port_variables
from tracewright.stack.process import Launch
from tracewright.stack.prometheus import SCRAPED, scrape_targets
from tracewright.stack.units import UNITS

TABLE = fleet(tee=True)
PORTS = {name: 20_000 + number for number, name in enumerate(port_variables(TABLE))}
SERVICES = ("rust-service", "python-service", "go-service", "frontend")


def variables(tmp_path: Path) -> dict[str, str]:
    return stack_variables(
        StackPaths(tmp_path, "test"),
        PORTS,
        {},
        intervals=FAST,
        environment="test",
        programs={"node": "/usr/bin/node", "frontend": "/build/frontend"},
    )


@pytest.mark.parametrize("component", TABLE, ids=lambda component: component.name)
def test_every_template_can_be_filled(component: Component, tmp_path: Path) -> None:
    known = variables(tmp_path)
    for template in (*component.command, *component.env.values(), component.cwd):
        filled = template.format_map(known)
        assert "{" not in filled.replace(INSTANCE, "filled at each start"), filled


def test_needs_come_earlier_in_the_table_so_that_stopping_can_go_backwards() -> None:
    seen: set[str] = set()
    for component in TABLE:
        assert set(component.needs) <= seen
        seen.add(component.name)


def test_every_component_is_asked_on_a_port_of_its_own() -> None:
    for component in TABLE:
        assert component.ready
        for check in component.ready:
            assert not isinstance(check, HttpReady) or check.port in component.ports


def test_no_port_is_spelled_in_the_table() -> None:
    for component in TABLE:
        for template in (*component.command, *component.env.values()):
            assert not re.search(r":\d{4,5}\b", template), template


def test_what_components_run_is_built_and_what_is_built_is_run() -> None:
    built = {name for unit in UNITS for name in unit.outputs.values()}
    assert {component.build for component in TABLE if component.build} == built


def test_inputs_and_sources_exist() -> None:
    root = Path(__file__).resolve().parents[3]
    for name in (
        *(name for row in TABLE for name in row.inputs),
        *(name for unit in UNITS for name in unit.sources),
    ):
        assert (root / name).exists(), name


@pytest.mark.parametrize("name", SERVICES)
def test_services_get_identity_endpoint_and_intervals(name: str, tmp_path: Path) -> None:
    known = variables(tmp_path)
    service = next(component for component in TABLE if component.name == name)
    env = {key: value.format_map(known) for key, value in service.env.items()}
    assert env["OTEL_SERVICE_NAME"] == name
    assert f"service.instance.id={name}-{INSTANCE}," in env["OTEL_RESOURCE_ATTRIBUTES"]
    assert "deployment.environment.name=test" in env["OTEL_RESOURCE_ATTRIBUTES"]
    assert env["OTEL_METRIC_EXPORT_INTERVAL"] == "1000"
    assert env["OTEL_BSP_SCHEDULE_DELAY"] == env["OTEL_BLRP_SCHEDULE_DELAY"] == "200"
    assert env["OTEL_EXPORTER_OTLP_ENDPOINT"] == f"http://127.0.0.1:{PORTS['OTLP_HTTP_PORT']}"
    command = Launch(argv=("true",), env=env, cwd=tmp_path, log=tmp_path / "log")
    starts = {as_instance(command).env["OTEL_RESOURCE_ATTRIBUTES"] for _ in range(3)}
    assert len(starts) == 3, "each start has an instance id of its own"
    assert not any("{" in attributes for attributes in starts)
    assert (DEFAULT.metrics_ms, DEFAULT.delay_ms) == (5000, 500)


def test_prometheus_scrapes_every_component_that_serves_metrics(tmp_path: Path) -> None:
    names = {component.name for component in TABLE}
    assert {job for job, _ in SCRAPED} == names - {"postgres"}
    targets = scrape_targets(variables(tmp_path))
    assert {"targets": [f"127.0.0.1:{PORTS['GO_SERVICE_PORT']}"], "labels": {"job": "go-service"}} in targets


def test_service_graph_is_scraped_as_often_as_services_export(tmp_path: Path) -> None:
    (store,) = [t for t in scrape_targets(variables(tmp_path)) if "store" in str(t["labels"])]
    assert store["labels"] == {
        "job": "store",
        "__scrape_interval__": f"{FAST.metrics_ms}ms",
        "__scrape_timeout__": f"{FAST.metrics_ms}ms",
    }


def test_the_tee_is_only_in_stacks_that_ask_for_it() -> None:
    def collector(tee: bool) -> str:
        return " ".join(next(row for row in fleet(tee=tee) if row.name == "otel-collector").command)

    assert "tee.yaml" in collector(True)
    assert "tee.yaml" not in collector(False)


def test_postgres_waits_for_the_disk_unless_it_is_for_tests() -> None:
    def settings(fast: bool) -> list[str]:
        return [part for part in fleet(fast=fast)[0].command if part.startswith("fsync")]

    assert settings(True) == ["fsync=off"]
    assert settings(False) == []


def test_traces_are_dropped_only_where_the_settings_say_so() -> None:
    def configs(sampled: bool) -> list[str]:
        command = next(
            row for row in fleet(tee=True, sampled=sampled) if row.name == "otel-collector"
        ).command
        return [part.rsplit("/", 1)[1] for part in command if part.endswith(".yaml")]

    assert configs(False) == ["config.yaml", "tee.yaml"]
    assert configs(True) == ["config.yaml", "sampling-config.yaml", "tee.yaml"]


def test_endpoints_name_only_what_the_stack_has(tmp_path: Path) -> None:
    part = with_needs(TABLE, ("otel-collector",))
    known = endpoints(variables(tmp_path), part, tee=True)
    assert known.frontend is None
    assert known.database_url is None
    assert known.otlp_http == f"http://127.0.0.1:{PORTS['OTLP_HTTP_PORT']}"
    assert known.tee_dir == str(tmp_path / ".tracewright/stacks/test/tee")
