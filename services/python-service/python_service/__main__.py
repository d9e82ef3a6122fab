"""`python -m python_service`: the start under OpenTelemetry, with the same command in every environment.

Checks the settings, then becomes `opentelemetry-instrument python -m python_service.server` (same process
id). What is set here is a default: the environment wins.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from python_service.settings import DISTRO, SERVICE, Settings, SettingsError

OTEL_DEFAULTS = {
    "OTEL_SERVICE_NAME": SERVICE,
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_PROPAGATORS": "tracecontext,baggage",
    "OTEL_SEMCONV_STABILITY_OPT_IN": "http,database",
    "OTEL_PYTHON_DISTRO": DISTRO,
    "OTEL_PYTHON_CONFIGURATOR": DISTRO,
}


def main() -> None:
    """Does not return: replaces this process, or exits with one line when a setting is wrong."""
    try:
        Settings.from_env(os.environ)
    except SettingsError as exc:
        sys.exit(f"{SERVICE}: {exc}")
    for name, value in OTEL_DEFAULTS.items():
        os.environ.setdefault(name, value)
    instrument = Path(sys.executable).with_name("opentelemetry-instrument")
    os.execv(instrument, [str(instrument), sys.executable, "-m", "python_service.server"])  # noqa: S606


if __name__ == "__main__":
    main()
