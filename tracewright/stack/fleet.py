"""The table of components: every program of the native stack, in the order in which it starts.

`make up`, the tests and the docs read this table; nothing else in the launcher spells a port or a command.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tracewright.endpoints import Endpoints
from tracewright.stack import flags, postgres, prometheus, quickwit
from tracewright.stack.component import Component, HttpReady, SqlReady
from tracewright.stack.launching import INSTANCE
from tracewright.stack.paths import BuildPaths, StackPaths
from tracewright.stack.settings import sampling

LOG_INDEX = Endpoints().quickwit_index


@dataclass(frozen=True, slots=True)
class Intervals:
    """How often telemetry leaves a process, in milliseconds."""

    metrics_ms: int
    delay_ms: int
    span_metrics: str


DEFAULT = Intervals(metrics_ms=5000, delay_ms=500, span_metrics="5s")
FAST = Intervals(metrics_ms=1000, delay_ms=200, span_metrics="1s")


POSTGRES_SETTINGS = (
    # TCP only: a socket in a shared folder would tie stacks together.
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    # A demo's load on a small machine; durability stays on, the usage events rely on it.
    "shared_buffers=32MB",
    "max_connections=60",
    "jit=off",
    "io_method=sync",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=128MB",
    # After a crash: one call for the whole disk in the place of one for each of a thousand files.
    *(("recovery_init_sync_method=syncfs",) if sys.platform == "linux" else ()),
)

# For tests. A disk that a build keeps busy may let a commit wait for longer than the services wait for it;
# what is killed loses nothing by this, only a machine that fails does.
POSTGRES_FAST = ("fsync=off",)

# Spans, or log records, of one service that wait while the collector is away: a minute of a load test.
QUEUE_SIZE = "8192"


def _service_env(name: str, port: str) -> Mapping[str, str]:
    """What each of the four services reads: where it listens, whom it calls, where its telemetry goes."""
    return {
        "HOST": "127.0.0.1",
        "PORT": "{" + port + "}",
        "DATABASE_URL": "{postgres_url}",
        "GO_SERVICE_URL": "http://127.0.0.1:{GO_SERVICE_PORT}",
        "PYTHON_SERVICE_URL": "http://127.0.0.1:{PYTHON_SERVICE_PORT}",
        "RUST_SERVICE_URL": "http://127.0.0.1:{RUST_SERVICE_PORT}",
        flags.VARIABLE: "{flags}",
        "OTEL_SERVICE_NAME": name,
        "OTEL_RESOURCE_ATTRIBUTES": "service.namespace=tracewright,service.version={version},"
        f"service.instance.id={name}-{{instance}},deployment.environment.name={{environment}}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:{OTLP_HTTP_PORT}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_PROPAGATORS": "tracecontext,baggage",
        "OTEL_TRACES_SAMPLER": "parentbased_always_on",
        "OTEL_METRIC_EXPORT_INTERVAL": "{metrics_ms}",
        "OTEL_BSP_SCHEDULE_DELAY": "{delay_ms}",
        "OTEL_BLRP_SCHEDULE_DELAY": "{delay_ms}",
        "OTEL_BSP_MAX_QUEUE_SIZE": QUEUE_SIZE,
        "OTEL_BLRP_MAX_QUEUE_SIZE": QUEUE_SIZE,
    }


def fleet(*, tee: bool = False, sampled: bool = False, fast: bool = False) -> tuple[Component, ...]:
    """All components in start order.

    `tee` makes the collector keep a raw copy of what passes, `sampled` lets it drop traces. `fast` keeps
    PostgreSQL from waiting for the disk.
    """
    postgres_settings = (*POSTGRES_SETTINGS, *(POSTGRES_FAST if fast else ()))
    overlays = {"sampling-config.yaml": sampled, "tee.yaml": tee}
    collector_configs = ("config.yaml", *(name for name, wanted in overlays.items() if wanted))
    return (
        Component(
            name="postgres",
            command=(
                *("{postgres_install}/bin/postgres", "-D", "{postgres_data}", "-p", "{POSTGRES_PORT}"),
                *(part for setting in postgres_settings for part in ("-c", setting)),
            ),
            ports=("POSTGRES_PORT",),
            ready=(SqlReady("{postgres_admin_url}"),),
            inputs=("postgres/schema.sql",),
            before=postgres.prepare,
            after=postgres.apply_schema,
            never_root=True,
            # SIGTERM would wait until all clients have left; SIGINT ends their sessions and shuts down
            # cleanly.
            stop_signal=signal.SIGINT,
        ),
        Component(
            name="store",
            command=(
                *("{bin}/tracewright-store", "--data-dir", "{data}/store", "--retention", "24h"),
                *("--tempo-listen", "127.0.0.1:{TEMPO_PORT}"),
                *("--tempo-otlp-grpc-listen", "127.0.0.1:{TEMPO_OTLP_GRPC_PORT}"),
                *("--tempo-otlp-http-listen", "127.0.0.1:{TEMPO_OTLP_HTTP_PORT}"),
                *("--quickwit-listen", "127.0.0.1:{QUICKWIT_PORT}"),
                *("--quickwit-grpc-listen", "127.0.0.1:{QUICKWIT_GRPC_PORT}"),
            ),
            ports=(
                "TEMPO_PORT",
                "QUICKWIT_PORT",
                "TEMPO_OTLP_GRPC_PORT",
                "TEMPO_OTLP_HTTP_PORT",
                "QUICKWIT_GRPC_PORT",
            ),
            ready=(HttpReady("TEMPO_PORT", "/ready"), HttpReady("QUICKWIT_PORT", "/health/readyz")),
            build="tracewright-store",
            inputs=("quickwit",),
            after=quickwit.create_index,
        ),
        Component(
            name="prometheus",
            command=(
                "{bin}/prometheus",
                "--config.file={config}/prometheus/prometheus.yml",
                "--storage.tsdb.path={data}/prometheus",
                "--storage.tsdb.retention.time=24h",
                "--web.listen-address=127.0.0.1:{PROMETHEUS_PORT}",
                "--web.enable-lifecycle",
                "--web.enable-otlp-receiver",
                "--web.enable-remote-write-receiver",
                "--enable-feature=exemplar-storage",
            ),
            ports=("PROMETHEUS_PORT",),
            ready=(HttpReady("PROMETHEUS_PORT", "/-/ready"),),
            env={"GOMEMLIMIT": "160MiB", "GOGC": "50"},
            build="prometheus",
            inputs=("prometheus/prometheus.yml", "prometheus/rules"),
            before=prometheus.write_config,
        ),
        Component(
            name="alertmanager",
            command=(
                "{bin}/alertmanager",
                "--config.file={root}/alertmanager/alertmanager.yml",
                "--storage.path={data}/alertmanager",
                "--web.listen-address=127.0.0.1:{ALERTMANAGER_PORT}",
                "--cluster.listen-address=",
            ),
            ports=("ALERTMANAGER_PORT",),
            ready=(HttpReady("ALERTMANAGER_PORT", "/-/ready"),),
            env={"GOMEMLIMIT": "40MiB"},
            build="alertmanager",
            inputs=("alertmanager/alertmanager.yml",),
        ),
        Component(
            name="node-exporter",
            command=("{bin}/node_exporter", "--web.listen-address=127.0.0.1:{NODE_EXPORTER_PORT}"),
            ports=("NODE_EXPORTER_PORT",),
            ready=(HttpReady("NODE_EXPORTER_PORT", "/"),),
            env={"GOMEMLIMIT": "30MiB"},
            build="node_exporter",
        ),
        Component(
            name="otel-collector",
            command=(
                "{bin}/collector",
                *(part for name in collector_configs for part in ("--config", f"{{root}}/collector/{name}")),
            ),
            ports=("OTLP_HTTP_PORT", "OTLP_GRPC_PORT", "COLLECTOR_HEALTH_PORT", "COLLECTOR_METRICS_PORT"),
            ready=(HttpReady("COLLECTOR_HEALTH_PORT", "/status"),),
            needs=("store", "prometheus"),
            env={
                "OTLP_GRPC_ENDPOINT": "127.0.0.1:{OTLP_GRPC_PORT}",
                "OTLP_HTTP_ENDPOINT": "127.0.0.1:{OTLP_HTTP_PORT}",
                "COLLECTOR_HEALTH_ENDPOINT": "127.0.0.1:{COLLECTOR_HEALTH_PORT}",
                "COLLECTOR_METRICS_HOST": "127.0.0.1",
                "COLLECTOR_METRICS_PORT": "{COLLECTOR_METRICS_PORT}",
                "TEMPO_OTLP_ENDPOINT": "127.0.0.1:{TEMPO_OTLP_GRPC_PORT}",
                "QUICKWIT_OTLP_ENDPOINT": "127.0.0.1:{QUICKWIT_GRPC_PORT}",
                "PROMETHEUS_OTLP_URL": "http://127.0.0.1:{PROMETHEUS_PORT}/api/v1/otlp",
                "COLLECTOR_DATA_DIR": "{data}/otel-collector",
                "COLLECTOR_TEE_DIR": "{tee}",
                "SPAN_METRICS_FLUSH_INTERVAL": "{span_metrics}",
                "SAMPLING_PERCENT": "{sampling_percent}",
                "SAMPLING_SLOW_MS": "{sampling_slow_ms}",
                "GOMEMLIMIT": "160MiB",
            },
            build="collector",
            inputs=tuple(f"collector/{name}" for name in collector_configs),
            # Its queues are on disk, but what it holds in memory should leave first.
            stop_timeout_s=15.0,
        ),
        Component(
            name="rust-service",
            command=("{bin}/rust-service",),
            ports=("RUST_SERVICE_PORT",),
            ready=(HttpReady("RUST_SERVICE_PORT", "/"),),
            needs=("postgres", "otel-collector"),
            env=_service_env("rust-service", "RUST_SERVICE_PORT"),
            build="rust-service",
        ),
        Component(
            name="python-service",
            command=("{venv}/bin/python", "-m", "python_service"),
            ports=("PYTHON_SERVICE_PORT",),
            ready=(HttpReady("PYTHON_SERVICE_PORT", "/"),),
            needs=("postgres", "otel-collector"),
            env=_service_env("python-service", "PYTHON_SERVICE_PORT"),
            inputs=(
                "services/python-service/python_service",
                "services/python-service/pyproject.toml",
                "uv.lock",
            ),
        ),
        Component(
            name="go-service",
            command=("{bin}/go-service",),
            ports=("GO_SERVICE_PORT",),
            ready=(HttpReady("GO_SERVICE_PORT", "/"),),
            needs=("postgres", "otel-collector"),
            env=_service_env("go-service", "GO_SERVICE_PORT"),
            build="go-service",
        ),
        Component(
            name="frontend",
            command=("{node}", "{frontend}/start.mjs"),
            ports=("FRONTEND_PORT",),
            ready=(HttpReady("FRONTEND_PORT", "/api/health"),),
            needs=("otel-collector",),
            env={
                **_service_env("frontend", "FRONTEND_PORT"),
                "TEMPO_URL": "http://127.0.0.1:{TEMPO_PORT}",
                "QUICKWIT_URL": "http://127.0.0.1:{QUICKWIT_PORT}",
                "QUICKWIT_INDEX": "{QUICKWIT_INDEX}",
                "NODE_ENV": "production",
                # Node sizes its heap by the machine's memory, far beyond what the page needs.
                "NODE_OPTIONS": "--max-old-space-size=192",
            },
            build="frontend",
        ),
    )


def stack_variables(
    paths: StackPaths,
    ports: Mapping[str, int],
    settings: Mapping[str, str],
    *,
    intervals: Intervals,
    environment: str,
    programs: Mapping[str, str],
) -> dict[str, str]:
    """What the templates of the table are filled with.

    `programs` are the paths that the builds and `doctor` found (`node`, `frontend`); `environment` is
    `deployment.environment.name`.
    """
    variables = {name: str(port) for name, port in ports.items()}
    where = postgres.place(paths)
    server = (
        f"postgresql://{postgres.USER}:{postgres.PASSWORD}@127.0.0.1:{variables.get('POSTGRES_PORT', '')}"
    )
    percent, slow_ms = sampling(settings)
    return {
        **variables,
        "QUICKWIT_INDEX": settings.get("QUICKWIT_INDEX", LOG_INDEX),
        "root": str(paths.root),
        "data": str(paths.data),
        "config": str(paths.config),
        "flags": str(paths.flags),
        "tee": str(paths.tee),
        "bin": str(BuildPaths(paths.root).bin),
        "venv": str(_venv(paths.root)),
        "version": version("tracewright"),
        "environment": environment,
        "instance": INSTANCE,
        "metrics_ms": str(intervals.metrics_ms),
        "delay_ms": str(intervals.delay_ms),
        "span_metrics": intervals.span_metrics,
        "sampling_percent": f"{percent:g}",
        "sampling_slow_ms": str(slow_ms),
        "postgres_install": str(where.install),
        "postgres_data": str(where.data),
        "postgres_url": f"{server}/{postgres.DATABASE}",
        "postgres_admin_url": f"{server}/postgres",
        **programs,
    }


def _venv(root: Path) -> Path:
    return Path(os.environ.get("UV_PROJECT_ENVIRONMENT", root / ".venv"))


def endpoints(variables: Mapping[str, str], components: tuple[Component, ...], *, tee: bool) -> Endpoints:
    """Where these components answer; what is not among them is `None`."""
    names = {component.name for component in components}

    def url(component: str, port: str, scheme: str = "http://") -> str | None:
        return f"{scheme}127.0.0.1:{variables[port]}" if component in names else None

    return Endpoints(
        frontend=url("frontend", "FRONTEND_PORT"),
        console=url("frontend", "FRONTEND_PORT"),
        go_service=url("go-service", "GO_SERVICE_PORT"),
        python_service=url("python-service", "PYTHON_SERVICE_PORT"),
        rust_service=url("rust-service", "RUST_SERVICE_PORT"),
        tempo=url("store", "TEMPO_PORT"),
        quickwit=url("store", "QUICKWIT_PORT"),
        quickwit_index=variables["QUICKWIT_INDEX"],
        prometheus=url("prometheus", "PROMETHEUS_PORT"),
        alertmanager=url("alertmanager", "ALERTMANAGER_PORT"),
        otlp_http=url("otel-collector", "OTLP_HTTP_PORT"),
        otlp_grpc=url("otel-collector", "OTLP_GRPC_PORT"),
        collector_metrics=url("otel-collector", "COLLECTOR_METRICS_PORT"),
        database_url=variables["postgres_url"] if "postgres" in names else None,
        tee_dir=variables["tee"] if tee and "otel-collector" in names else None,
        service_graph={"store", "prometheus"} <= names,
        sampling_percent=float(variables["sampling_percent"]),
        sampling_slow_ms=float(variables["sampling_slow_ms"]),
    )
