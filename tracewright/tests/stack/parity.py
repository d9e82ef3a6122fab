"""Compares the two descriptions of the stack: the native table, and the Compose file.

What differs on purpose stands in the tables on top, each entry with its reason; everything else is
a difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tracewright.stack.component import Component, HttpReady
from tracewright.stack.fleet import DEFAULT
from tracewright.stack.prometheus import SCRAPED
from tracewright.stack.settings import FLEET, sampling

# One program natively, two in Compose.
PARTS = {"store": ("tempo", "quickwit")}
PART_OF_PORT = {"TEMPO": "tempo", "QUICKWIT": "quickwit"}
# Nothing outside of the network speaks to these; the collector does, by the container's own port.
UNPUBLISHED = {"TEMPO_OTLP_GRPC_PORT": 4317, "TEMPO_OTLP_HTTP_PORT": 4318, "QUICKWIT_GRPC_PORT": 7281}
# Services that only Compose has.
ONLY_COMPOSE = {
    "prepare": "volumes belong to root at first",
    "quickwit-init": "the launcher makes the index itself",
    "postgres-exporter": "not served as a Go module",
    "grafana": "not served as a Go module",
    "locust": "natively `make load` starts it",
}
# Variables that only one side has, by component.
ONLY_NATIVE_ENV = {"otel-collector": {"COLLECTOR_TEE_DIR"}}  # Compose has an overlay for it
ONLY_COMPOSE_ENV = {
    # Images are configured by variables where programs have flags.
    "postgres": {"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB", "PGDATA"},
    "quickwit": {"QW_CONFIG", "QW_DATA_DIR", "QW_LISTEN_ADDRESS", "NO_COLOR"},
    # Natively it comes from .env, which every component inherits.
    "otel-collector": {"QUICKWIT_INDEX"},
}
# The wheel is version 18 and shares the machine's address; the image is 17 and has one of its own.
ONLY_NATIVE_SETTINGS = {"listen_addresses", "unix_socket_directories", "io_method"}
# Compose orders what the launcher does itself in between: volumes, the index, and Quickwit's metastore.
HELPERS = {"prepare": "", "quickwit-init": "quickwit"}
ONLY_COMPOSE_NEEDS = {"quickwit": {"postgres"}}
# What the native store is started with, Tempo and Quickwit have in files of their own.
UNCOMPARED_COMMANDS = {"store", "frontend", "go-service", "python-service", "rust-service", "postgres"}
# Addresses and paths, which are each mode's own.
OWN_FLAGS = {
    *("--config.file", "--storage.tsdb.path", "--storage.path", "--web.listen-address", "--config"),
    *("--path.rootfs", "--path.procfs", "--path.sysfs"),  # the machine, seen from inside a container
}
# Tempo's receiver and Quickwit's last commit take longer than the store's.
OWN_STOP = {"tempo", "quickwit", "postgres"}
PUBLISHED = re.compile(r"127\.0\.0\.1:\$\{(\w+)\}:(\d+)")
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")

Yaml = Mapping[str, Any]


@dataclass(frozen=True)
class Files:
    """What is compared with the table: the Compose file as parsed, `.env`, and the scrape targets."""

    compose: Yaml
    env: Mapping[str, str]
    targets: list[Yaml]

    @property
    def services(self) -> Mapping[str, Yaml]:
        """By name."""
        services: Mapping[str, Yaml] = self.compose["services"]
        return services

    def resolve(self, text: object) -> str:
        """Fills `${NAME}` and `${NAME:-default}` as Compose does, from `.env` alone."""
        return VARIABLE.sub(lambda match: self.env.get(match[1]) or match[2] or "", str(text))

    def inner_ports(self) -> dict[str, int]:
        """The port inside the container by the variable that moves it outside."""
        found = dict(UNPUBLISHED)
        for service in self.services.values():
            found |= {
                m[1]: int(m[2]) for text in service.get("ports", ()) if (m := PUBLISHED.fullmatch(text))
            }
        return found


def differences(table: Iterable[Component], files: Files) -> list[str]:
    """Everything in which the Compose file is not the native table: sentences, none when they agree."""
    rows = tuple(table)
    named = {part for row in rows for part in parts(row.name)}
    found = [f"{name}: only natively" for name in sorted(named - set(files.services))]
    found += [f"{name}: only in Compose" for name in sorted(set(files.services) - named - set(ONLY_COMPOSE))]
    for row in rows:
        services = [name for name in parts(row.name) if name in files.services]
        if len(services) != len(parts(row.name)):
            continue
        found += [f"{row.name}: {text}" for text in _ports(row, services, files)]
        found += [f"{row.name}: {text}" for text in _needs(row, services, files)]
        for name in services:
            found += [f"{name}: {text}" for text in _environment(row, name, rows, files)]
            found += [f"{name}: {text}" for text in _health(row, name, files)]
            found += [f"{name}: {text}" for text in _command(row, name, files)]
            found += [f"{name}: {text}" for text in _stopping(row, name, files)]
    found += _publishing(files)
    found += _scraping(files)
    return found


def parts(component: str) -> tuple[str, ...]:
    """The services that a component is in Compose."""
    return PARTS.get(component, (component,))


def _owner(port: str, rows: tuple[Component, ...]) -> str:
    owner = next(row.name for row in rows if port in row.ports)
    return PART_OF_PORT[port.split("_")[0]] if owner in PARTS else owner


def _ports(row: Component, services: list[str], files: Files) -> Iterator[str]:
    published = {m[1] for name in services for m in _published(files.services[name])}
    for port in row.ports:
        if port not in published | set(UNPUBLISHED):
            yield f"port {port} is not published"
    for port in published - set(row.ports):
        yield f"port {port} is published, and not in the native table"


def _published(service: Yaml) -> Iterator[re.Match[str]]:
    for text in service.get("ports", ()):
        if match := PUBLISHED.fullmatch(text):
            yield match


def _publishing(files: Files) -> Iterator[str]:
    for name, service in files.services.items():
        for text in service.get("ports", ()):
            match = PUBLISHED.fullmatch(text)
            if match is None:
                yield f"{name}: port {text} is not 127.0.0.1:${{VARIABLE}}:number"
            elif match[1] not in files.env:
                yield f"{name}: {match[1]} is not in .env"


def _needs(row: Component, services: list[str], files: Files) -> Iterator[str]:
    wanted = {part for name in row.needs for part in parts(name)}
    stated: set[str] = set()
    for name in services:
        depends = files.services[name].get("depends_on", {})
        stated |= (
            {HELPERS.get(other, other) for other in depends} - {""} - ONLY_COMPOSE_NEEDS.get(name, set())
        )
        for other, how in depends.items():
            proper = "service_completed_successfully" if other in HELPERS else "service_healthy"
            if how.get("condition") != proper:
                yield f"depends on {other} by {how.get('condition')}, not {proper}"
    for name in sorted(wanted - stated):
        yield f"does not wait for {name}"
    for name in sorted(stated - wanted):
        yield f"waits for {name}, natively it does not"


def _environment(row: Component, name: str, rows: tuple[Component, ...], files: Files) -> Iterator[str]:
    stated = files.services[name].get("environment", {})
    passed = set(FLEET) if "OTEL_SERVICE_NAME" in row.env else set()
    native = set(row.env) - ONLY_NATIVE_ENV.get(name, set()) if name == row.name else set()
    own = set(stated) - passed - ONLY_COMPOSE_ENV.get(name, set())
    for key in sorted(native - own):
        yield f"{key} is not set"
    for key in sorted(own - native):
        yield f"{key} is set, natively it is not"
    for key in sorted(passed - set(stated)):
        yield f"{key} of the caller does not reach it"
    for key in sorted(native & own):
        expected = translated(row.env[key], row, rows, files)
        if files.resolve(stated[key]) != expected:
            yield f"{key} is {files.resolve(stated[key])}, expected {expected}"


def translated(template: str, row: Component, rows: tuple[Component, ...], files: Files) -> str:
    """What a native template is in a container: addresses, paths and ports differ, all else is the same."""
    inner = files.inner_ports()

    def address(match: re.Match[str]) -> str:
        own = not match[1] and match[2] in row.ports
        host = "0.0.0.0" if own else _owner(match[2], rows)
        return f"{match[1] or ''}{host}:{inner.get(match[2])}"

    text = "0.0.0.0" if template == "127.0.0.1" else template
    text = re.sub(r"(http://)?127\.0\.0\.1:\{(\w+_PORT)\}", address, text)
    text = re.sub(r"\{(\w+_PORT)\}", lambda match: str(inner.get(match[1])), text)
    percent, slow_ms = sampling(files.env)
    known = {
        "version": files.env["TRACEWRIGHT_VERSION"],
        "environment": "compose",
        "instance": "{instance}",
        "metrics_ms": DEFAULT.metrics_ms,
        "delay_ms": DEFAULT.delay_ms,
        "span_metrics": DEFAULT.span_metrics,
        "postgres_url": "postgresql://tracewright:tracewright@postgres:5432/tracewright",
        "sampling_percent": f"{percent:g}",
        "sampling_slow_ms": slow_ms,
        "QUICKWIT_INDEX": "tracewright-logs",
        # A container has the folders of the repository that it reads at its root.
        "root": "",
        "flags": "/flags/fleet.flagd.json",
    }
    return text.replace("{data}/otel-collector", "/var/lib/otelcol").format_map(known)


def _health(row: Component, name: str, files: Files) -> Iterator[str]:
    test = files.services[name].get("healthcheck", {}).get("test", [])
    inner = files.inner_ports()
    checks = [check for check in row.ready if isinstance(check, HttpReady)]
    if row.name in PARTS:
        checks = [check for check in checks if PART_OF_PORT[check.port.split("_")[0]] == name]
    expected = [(inner.get(check.port), check.path) for check in checks]
    asked = [(url.port, url.path) for text in test if (url := urlsplit(str(text))).scheme == "http"]
    if not checks:
        if not any("SELECT 1" in str(text) for text in test):
            yield "its health check asks no SELECT 1"
    elif asked != expected:
        yield f"its health check asks {asked}, expected {expected}"


def _command(row: Component, name: str, files: Files) -> Iterator[str]:
    command = [str(part) for part in files.services[name].get("command", ())]
    if row.name == "postgres":
        native = _settings(part for part in row.command if not part.startswith("-"))
        stated = _settings(part.removeprefix("-c") for part in command)
        for key in ONLY_NATIVE_SETTINGS:
            native.pop(key, None)
    elif row.name in UNCOMPARED_COMMANDS:
        return
    else:
        native, stated = _settings(row.command[1:]), _settings(command)
    for key in sorted((native.keys() | stated.keys()) - OWN_FLAGS):
        if native.get(key) != stated.get(key):
            yield f"{key} is {stated.get(key)}, natively {native.get(key)}"


def _settings(words: Iterable[str]) -> dict[str, str]:
    return {
        key: value
        for word in words
        if "=" in word or word.startswith("--web")
        for key, _, value in [word.partition("=")]
    }


def _stopping(row: Component, name: str, files: Files) -> Iterator[str]:
    service = files.services[name]
    signal = service.get("stop_signal", "SIGTERM")
    if signal != row.stop_signal.name:
        yield f"is stopped by {signal}, natively by {row.stop_signal.name}"
    grace = service.get("stop_grace_period")
    if name not in OWN_STOP and grace != f"{row.stop_timeout_s:.0f}s":
        yield f"has {grace} to stop, natively {row.stop_timeout_s:.0f}s"


def _scraping(files: Files) -> Iterator[str]:
    inner = files.inner_ports()
    wanted = {part: inner.get(port) for job, port in SCRAPED for part in parts(job) if job not in PARTS}
    wanted |= {part: inner.get(f"{part.upper()}_PORT") for names in PARTS.values() for part in names}
    stated = {}
    for target in files.targets:
        job = target["labels"]["job"]
        host, _, port = target["targets"][0].partition(":")
        if host != job:
            yield f"{job}: is scraped at {host}"
        if job not in ONLY_COMPOSE:
            stated[job] = int(port)
    for job in sorted(wanted.keys() | stated.keys()):
        if wanted.get(job) != stated.get(job):
            yield f"{job}: is scraped at port {stated.get(job)}, expected {wanted.get(job)}"
