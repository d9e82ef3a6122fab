"""Starts Locust against a running stack: `python -m loadtests --duration 60s --users 20`, or `--ui`."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

import httpx

from tracewright.endpoints import Endpoints

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
DEFAULT_ENDPOINTS = Path(".tracewright/stacks/default/endpoints.json")
DEFAULT_UI_PORT = "8089"
REACH_TIMEOUT_S = 5.0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m loadtests",
        description="Drives the journeys of e2e/contracts over HTTP, in the shares declared there.",
        epilog="examples:  python -m loadtests --duration 2m --users 50     python -m loadtests --ui",
    )
    made.add_argument("--duration", default="60s", help="how long, e.g. 90s, 10m (default: %(default)s)")
    made.add_argument("--users", type=int, default=20, help="people at once (default: %(default)s)")
    made.add_argument(
        "--ui", action="store_true", help="start and stop from Locust's page (LOCUST_PORT, 8089)"
    )
    made.add_argument(
        "--endpoints",
        type=Path,
        default=DEFAULT_ENDPOINTS,
        help="endpoints.json of the stack (default: that of `make up`)",
    )
    return made


def command(options: argparse.Namespace) -> list[str]:
    """Locust's command line. Raises `SystemExit` with the reason when there is nothing to drive."""
    if not re.fullmatch(r"(\d+[hms])+", options.duration):
        raise SystemExit(
            f"loadtests: --duration {options.duration!r} is no duration (examples: 90s, 10m, 1h30m)"
        )
    if options.users < 1:
        raise SystemExit(f"loadtests: --users {options.users} is no number of people (at least 1)")
    try:
        endpoints = Endpoints.load(options.endpoints)
    except FileNotFoundError:
        raise SystemExit("loadtests: no stack is running (start one with: make up)") from None
    if endpoints.frontend is None:
        raise SystemExit(f"loadtests: the stack of {options.endpoints} has no frontend")
    try:
        httpx.get(
            f"{endpoints.frontend}/api/health", timeout=REACH_TIMEOUT_S, trust_env=False
        ).raise_for_status()
    except httpx.HTTPError as error:
        raise SystemExit(
            f"loadtests: {endpoints.frontend} does not answer as it should ({error}); look at: make status"
        ) from None
    locust = [sys.executable, "-m", "locust", "--locustfile", str(LOCUSTFILE), "--host", endpoints.frontend]
    locust += ["--users", str(options.users), "--spawn-rate", str(max(1, options.users // 5))]
    if options.ui:
        port = os.environ.get("LOCUST_PORT", DEFAULT_UI_PORT)
        host = os.environ.get("LOCUST_WEB_HOST", "127.0.0.1")
        return [*locust, "--web-host", host, "--web-port", port]
    return [
        *locust,
        "--headless",
        "--run-time",
        options.duration,
        "--only-summary",
        "--exit-code-on-error",
        "1",
    ]


if __name__ == "__main__":
    chosen = parser().parse_args()
    os.environ["TRACEWRIGHT_ENDPOINTS"] = str(chosen.endpoints.resolve())
    line = command(chosen)
    os.execv(line[0], line)  # noqa: S606 (Locust takes over: its signals, its exit code)
