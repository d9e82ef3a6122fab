"""What the environment says, read once and checked: nothing else in this service looks at `os.environ`.

`OTEL_*` variables that the SDK reads by itself are not repeated here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

SERVICE = "python-service"
DISTRO = "python_service"
"""The name of our entry points for OpenTelemetry, in `pyproject.toml`."""


class SettingsError(ValueError):
    """A variable is missing or wrong. The message names it, and repeats no value that may hold a secret."""


@dataclass(frozen=True)
class Settings:
    """All settings of the service. Times are seconds."""

    database_url: str = field(repr=False)
    rust_service_url: str
    host: str = "127.0.0.1"
    port: int = 8001
    dependency_timeout_s: float = 2.0
    """How long one dependency may keep a request waiting before it counts as down."""
    database_start_timeout_s: float = 10.0
    """How late PostgreSQL may come at the start."""
    llm_seed: int = 7
    latency_scale: float = 1.0
    """Multiplies every simulated latency; 0 means none."""
    capture_message_content: bool = False
    """Whether prompts and answers are put on spans."""
    flags_file: Path | None = None
    """Flags in flagd's format; without it nothing is broken on purpose."""
    version: str = field(default_factory=lambda: version(SERVICE))

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Read and check; raises `SettingsError` at the first variable that is missing or wrong."""
        return cls(
            database_url=_required(env, "DATABASE_URL", _database_url),
            rust_service_url=_required(env, "RUST_SERVICE_URL", _http_url),
            host=env.get("HOST") or cls.host,
            port=_optional(env, "PORT", _port, cls.port),
            dependency_timeout_s=_optional(
                env, "DEPENDENCY_TIMEOUT_MS", _milliseconds, cls.dependency_timeout_s
            ),
            flags_file=_optional(env, "FLAGS_FILE", Path, cls.flags_file),
            llm_seed=_optional(env, "LLM_SEED", _integer, cls.llm_seed),
            latency_scale=_optional(env, "LATENCY_SCALE", _scale, cls.latency_scale),
            capture_message_content=_optional(
                env,
                "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
                _capture,
                cls.capture_message_content,
            ),
        )


def _required(env: Mapping[str, str], name: str, parse: Callable[[str], T]) -> T:
    value = env.get(name)
    if not value:
        raise SettingsError(f"{name} is not set")
    return _parsed(name, value, parse)


def _optional(env: Mapping[str, str], name: str, parse: Callable[[str], T], default: T) -> T:
    value = env.get(name)
    return _parsed(name, value, parse) if value else default


def _parsed(name: str, value: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(value)
    except ValueError as exc:
        raise SettingsError(f"{name} {exc}") from None


def _database_url(value: str) -> str:
    # The message must not repeat the value: it holds the password.
    scheme, separator, rest = value.partition("://")
    if scheme not in {"postgresql", "postgres"} or not separator or not rest:
        raise ValueError("must look like postgresql://user:password@host:port/database")
    return f"postgresql+asyncpg://{rest}"


def _http_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("must look like http://host:port")
    return value.rstrip("/")


def _integer(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"must be a whole number, not {value!r}") from None


def _port(value: str) -> int:
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise ValueError(f"must be a port between 1 and 65535, not {value!r}")
    return int(value)


def _milliseconds(value: str) -> float:
    if not value.isdecimal() or int(value) == 0:
        raise ValueError(f"must be a whole number of milliseconds above 0, not {value!r}")
    return int(value) / 1000


def _scale(value: str) -> float:
    try:
        scale = float(value)
    except ValueError:
        scale = math.nan
    if not 0 <= scale <= 100:
        raise ValueError(f"must be a number between 0 and 100, not {value!r}")
    return scale


def _capture(value: str) -> bool:
    known = {"true": True, "span_only": True, "span_and_event": True, "false": False, "no_content": False}
    if value.lower() not in known:
        raise ValueError(f"must be one of {', '.join(known)}, not {value!r}")
    return known[value.lower()]
