"""Where the telemetry is, from what a person wrote on the command line or into an ini file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tracewright.endpoints import Endpoints


def addressed(
    known: Endpoints,
    *,
    targets: Iterable[str] = (),
    tempo: str | None = None,
    quickwit: str | None = None,
    index: str | None = None,
    prometheus: str | None = None,
    collector: str | None = None,
) -> Endpoints:
    """The known endpoints with what is given in their place. A target is `URL` or `NAME=URL`.

    Raises `ValueError`, naming the value.
    """
    return replace(
        known,
        targets={**known.targets, **dict(_target(text) for text in targets)},
        tempo=_url(tempo) or known.tempo,
        quickwit=_url(quickwit) or known.quickwit,
        quickwit_index=index or known.quickwit_index,
        prometheus=_url(prometheus) or known.prometheus,
        collector_metrics=_url(collector) or known.collector_metrics,
    )


def has_witness(stack: Endpoints) -> bool:
    """Whether anything of the stack can show telemetry."""
    return any((stack.tempo, stack.quickwit, stack.prometheus, stack.collector_metrics, stack.tee_dir))


@contextmanager
def receiving(http: str | None, grpc: str | None) -> Iterator[Path | None]:
    """Receives OTLP at these addresses while it is entered; gives the folder with what arrived.

    `None` when no address is given. Raises `ValueError` for one that is none, `PortTaken` for a taken one.
    """
    if not http and not grpc:
        yield None
        return
    # Imported here: gRPC alone takes longer to import than a replay takes.
    from tracewright.receiver import Address, OtlpReceiver

    with (
        tempfile.TemporaryDirectory(prefix="tracewright-otlp-") as folder,
        OtlpReceiver(
            Path(folder),
            http=Address.parse(http) if http else None,
            grpc=Address.parse(grpc) if grpc else None,
        ),
    ):
        yield Path(folder)


def _target(text: str) -> tuple[str, str]:
    name, sign, url = text.partition("=")
    if not sign or "/" in name:
        name, url = "frontend", text
    return name, _url(url) or ""


def _url(text: str | None) -> str | None:
    if not text:
        return None
    if not text.startswith(("http://", "https://")):
        raise ValueError(f"{text!r}: expected a URL like http://127.0.0.1:3200")
    return text.rstrip("/")
