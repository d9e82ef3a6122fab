"""Writes Prometheus' configuration of one stack: the shared files, and whom to scrape and to alert here."""

from __future__ import annotations

import json
import shutil

from tracewright.stack.component import Setting, Variables

# Job (the component's name) and the port variable where it serves /metrics.
SCRAPED = (
    ("frontend", "FRONTEND_PORT"),
    ("go-service", "GO_SERVICE_PORT"),
    ("python-service", "PYTHON_SERVICE_PORT"),
    ("rust-service", "RUST_SERVICE_PORT"),
    ("store", "TEMPO_PORT"),
    ("prometheus", "PROMETHEUS_PORT"),
    ("alertmanager", "ALERTMANAGER_PORT"),
    ("node-exporter", "NODE_EXPORTER_PORT"),
    ("otel-collector", "COLLECTOR_METRICS_PORT"),
)


# Its service graph is application telemetry that comes by scraping: as often as the services export theirs.
AS_OFTEN_AS_EXPORTS = "store"


def scrape_targets(variables: Variables) -> list[dict[str, object]]:
    """The file-discovery entries of all components."""
    interval = f"{variables['metrics_ms']}ms"
    often = {"__scrape_interval__": interval, "__scrape_timeout__": interval}
    return [
        {
            "targets": [f"127.0.0.1:{variables[port]}"],
            "labels": {"job": job, **(often if job == AS_OFTEN_AS_EXPORTS else {})},
        }
        for job, port in SCRAPED
    ]


async def write_config(setting: Setting) -> None:
    """Writes `config/prometheus`, replacing what an earlier start wrote."""
    source = setting.paths.root / "prometheus"
    target = setting.paths.config / "prometheus"
    shutil.rmtree(target, ignore_errors=True)
    (target / "targets").mkdir(parents=True)
    (target / "alertmanagers").mkdir()
    shutil.copy(source / "prometheus.yml", target)
    shutil.copytree(source / "rules", target / "rules")
    (target / "targets" / "native.json").write_text(json.dumps(scrape_targets(setting.variables), indent=2))
    managers = [{"targets": [f"127.0.0.1:{setting.variables['ALERTMANAGER_PORT']}"]}]
    (target / "alertmanagers" / "native.json").write_text(json.dumps(managers, indent=2))
