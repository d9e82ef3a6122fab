"""The end of telemetry: everything that was recorded is delivered, or the time for it is over."""

from __future__ import annotations

from threading import Thread
from time import monotonic

from opentelemetry import _logs, metrics, trace


def flush(timeout_s: float) -> bool:
    """Shut the SDK down, all three signals at once; `False` when that took longer than `timeout_s`.

    The SDK's own exit handlers do the same, but one after the other, and each keeps trying for several
    seconds when the collector is away: longer than whoever stops this process will wait.
    """
    providers = (trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider())
    threads = [
        Thread(target=shutdown, daemon=True)
        for provider in providers
        if (shutdown := getattr(provider, "shutdown", None)) is not None
    ]
    for thread in threads:
        thread.start()
    deadline_s = monotonic() + timeout_s
    for thread in threads:
        thread.join(max(0, deadline_s - monotonic()))
    return not any(thread.is_alive() for thread in threads)
