"""The table of build units: what is compiled, from which sources, by which commands, for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

BUN_VERSION = "1.4.5"
# What the frontend is built, checked and tested with, from npm.
BUN = "{tools}/bun/node_modules/.bin/bun"
INSTALL_FRONTEND: tuple[tuple[str, ...], ...] = (
    (
        *(
            "npm",
            "install",
            "--prefix",
            "{tools}/bun",
            "--no-save",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ),
        *("--no-package-lock", f"bun@{BUN_VERSION}"),
    ),
    (BUN, "install", "--frozen-lockfile"),
)


@dataclass(frozen=True, slots=True)
class Unit:
    """One thing to build.

    `commands` are templates over `root`, `out` (a folder for this build's results), `tools` and `jobs` (how
    many compilers may run at once). `outputs` maps what they leave behind to its name in
    `.tracewright/build/bin`, or, for a folder, to the name of the variable that holds its path. `cold_s` is
    about how many seconds of one core it takes from cold caches: the longest starts first. `tool` is whose
    version decides beside the sources.
    """

    name: str
    tool: str
    sources: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]
    outputs: Mapping[str, str]
    cold_s: int
    cwd: str = "{root}"
    env: Mapping[str, str] = field(default_factory=dict)
    folder: bool = False


def _go(name: str, folder: str, package: str, program: str, cold_s: int, *, tags: str = "") -> Unit:
    """A program of one Go module. `-v` names each compiled package: Go tells no more."""
    return Unit(
        name=name,
        tool="go",
        sources=(folder,),
        cwd=f"{{root}}/{folder}",
        commands=(
            (
                *("go", "build", "-v", "-p", "{jobs}", "-trimpath", "-ldflags", "-s -w"),
                # Debug information that the linker drops again need not be made.
                "-gcflags=all=-dwarf=false",
                *(("-tags", tags) if tags else ()),
                *("-o", f"{{out}}/{program}", package),
            ),
        ),
        outputs={f"{{out}}/{program}": program},
        env={"GOMAXPROCS": "{jobs}", "GOFLAGS": "-mod=readonly -buildvcs=false", "CGO_ENABLED": "0"},
        cold_s=cold_s,
    )


UNITS = (
    Unit(
        # One invocation for both: two would wait for each other's lock on the target folder.
        name="rust",
        tool="rust",
        sources=("Cargo.toml", "Cargo.lock", "store", "services/rust-service"),
        commands=(
            (
                *("cargo", "build", "--release", "--locked", "--jobs", "{jobs}"),
                *("--package", "tracewright-store", "--package", "rust-service"),
            ),
        ),
        outputs={
            "{target}/release/tracewright-store": "tracewright-store",
            "{target}/release/rust-service": "rust-service",
        },
        env={
            "CARGO_TARGET_DIR": "{target}",
            "CARGO_TERM_COLOR": "never",
            "CARGO_TERM_PROGRESS_WHEN": "never",
        },
        cold_s=320,
    ),
    _go(
        "prometheus",
        "prometheus",
        "github.com/prometheus/prometheus/cmd/prometheus",
        "prometheus",
        190,
        tags="remove_all_sd,enable_dns_sd",
    ),
    _go("collector", "collector", ".", "collector", 150),
    _go(
        "alertmanager",
        "alertmanager",
        "github.com/prometheus/alertmanager/cmd/alertmanager",
        "alertmanager",
        55,
    ),
    _go("go-service", "services/go-service", ".", "go-service", 40),
    Unit(
        name="frontend",
        tool="node",
        sources=("frontend",),
        cwd="{root}/frontend",
        commands=(*INSTALL_FRONTEND, (BUN, "run", "build")),
        outputs={"{root}/frontend/.next/standalone": "frontend"},
        env={"NEXT_TELEMETRY_DISABLED": "1", "NO_COLOR": "1"},
        cold_s=35,
        folder=True,
    ),
    _go("node-exporter", "node-exporter", "github.com/prometheus/node_exporter", "node_exporter", 25),
)
