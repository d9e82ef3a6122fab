"""Reads `.env` and the process environment; nothing else in the launcher reads either.

The file holds every default port. A variable of the process environment wins over the file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from tracewright.stack.errors import SettingsError

# What a component may inherit. The rest (a proxy, an OTEL_* of the caller) would make runs differ by machine.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "USER", "LOGNAME")


WHOLE_PERCENT = 100.0
HOUR_MS = 3_600_000
# Ends of the names of settings that reach only those components to which the table gives them.
TABLES = ("_PORT", "SAMPLING_PERCENT", "SAMPLING_SLOW_MS")
# What only Compose reads of `.env`; a component that knew an image would be restarted when it changes.
COMPOSE_ONLY = re.compile(r"COMPOSE_\w+|\w+_IMAGE|(?:TRACEWRIGHT|GRAFANA)_VERSION")

# What the services read beside addresses and OTEL_*; the caller's values reach them.
FLEET = ("LLM_SEED", "LATENCY_SCALE", "GATEWAY_ID", "DEPENDENCY_TIMEOUT_MS", "LOG_LEVEL", "RUST_LOG")


def read_env_file(path: Path) -> dict[str, str]:
    """The assignments of a `.env` file: `NAME=value`, comments, blank lines; quotes around a value come
    off.
    """
    values: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.removeprefix("export ").partition("=")
        if not equals or not name.strip().isidentifier():
            raise SettingsError(f"{path}:{number}: expected NAME=value, found {text!r}")
        value = value.strip()
        if value[:1] in ('"', "'"):
            value = value[1:].partition(value[0])[0]
        else:
            value = value.partition(" #")[0].strip()
        values[name.strip()] = value
    return values


def load_settings(root: Path, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """`.env` of this clone, with values of the environment in the place of the file's.

    Raises `SettingsError` when there is no `.env`.
    """
    environ = os.environ if environ is None else environ
    path = root / ".env"
    if not path.is_file():
        raise SettingsError(
            f"{path} is missing: it holds the ports of all components. Restore it: git checkout -- .env"
        )
    values = read_env_file(path)
    return {name: environ.get(name, value) for name, value in values.items()}


def sampling(settings: Mapping[str, str]) -> tuple[float, int]:
    """The share of traces that is kept, in percent, and from how many milliseconds on a span is slow.

    Raises `SettingsError`.
    """

    def number(name: str, default: str, most: float) -> float:
        text = settings.get(name) or default
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value <= most:
            raise SettingsError(f"{name}={text!r}: expected a number from 0 to {most:g}")
        return value

    return number("SAMPLING_PERCENT", "100", WHOLE_PERCENT), int(number("SAMPLING_SLOW_MS", "2000", HOUR_MS))


def child_environment(
    settings: Mapping[str, str], environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """What every component inherits: the basics of the caller and the fleet's settings, without what the
    table hands out (ports, sampling).
    """
    environ = os.environ if environ is None else environ
    basics = {name: environ[name] for name in (*INHERITED, *FLEET) if name in environ}
    own = {
        name: value
        for name, value in settings.items()
        if not name.endswith(TABLES) and not COMPOSE_ONLY.fullmatch(name) and value != ""
    }
    return own | basics | {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
