"""Options that several commands share: where the telemetry is, and the body of a request."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Tempo = Annotated[str | None, typer.Option(metavar="URL", help="Where Tempo's API answers.")]
Quickwit = Annotated[str | None, typer.Option(metavar="URL", help="Where Quickwit's API answers.")]
Index = Annotated[str | None, typer.Option(metavar="NAME", help="Quickwit's index with the logs.")]
Prometheus = Annotated[str | None, typer.Option(metavar="URL", help="Where Prometheus' API answers.")]
EndpointsFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="endpoints.json of a stack, in place of the options above."),
]
Data = Annotated[str | None, typer.Option(metavar="JSON", help="The request's body, or @FILE with it.")]
