"""Everything that the launcher prints: a live view on a terminal, plain lines with times elsewhere.

Colours and movement are for terminals only; `NO_COLOR` switches the colours off there, too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType

from rich.console import Console as RichConsole
from rich.console import RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tracewright.endpoints import Endpoints
from tracewright.stack.builder import BuildEvent, BuildState
from tracewright.stack.component import ComponentState, StackEvent
from tracewright.stack.doctor import Finding
from tracewright.stack.status import Row

MIB = 1024**2
# Off a terminal, a build that goes on says so this often.
HEARTBEAT_S = 20.0

_STYLES = {
    "ready": "green",
    "built": "green",
    "starting": "yellow",
    "building": "yellow",
    "stopping": "yellow",
    "failed": "bold red",
    "stopped": "dim",
    "waiting": "dim",
}


class Console:
    """Prints the events of builds and components as they come, and tables at the end.

    As a context manager it keeps a live view while the block runs, where the output is a terminal. Events may
    come from any thread.
    """

    def __init__(self, *, out: RichConsole | None = None, err: RichConsole | None = None) -> None:
        self.out = out or RichConsole(highlight=False, soft_wrap=True)
        self.err = err or RichConsole(stderr=True, highlight=False, soft_wrap=True)
        self._builds: dict[str, _Line] = {}
        self._components: dict[str, _Line] = {}
        self._live: Live | None = None
        self._lock = threading.Lock()
        self._last_said_s: dict[str, float] = {}

    def __enter__(self) -> Console:
        """Begins the live view."""
        if self.err.is_terminal:
            self._live = Live(
                get_renderable=self._view,
                console=self.err,
                refresh_per_second=8,
                transient=True,
                vertical_overflow="crop",
            )
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the live view."""
        live, self._live = self._live, None
        if live is not None:
            live.__exit__(kind, error, trace)
        self._builds.clear()
        self._components.clear()

    # --- events ----------------------------------------------------------------------------------------

    def on_build(self, event: BuildEvent) -> None:
        """Shows what a build unit does."""
        with self._lock:
            line = self._builds.setdefault(event.unit, _Line())
            changed = line.state != event.state
            line.update(event.state, event.line)
        if event.state is BuildState.BUILT:
            self._say(event.unit, event.state, f"in {event.seconds:.1f} s")
        elif event.state is BuildState.FAILED:
            self._say(event.unit, event.state, f"after {event.seconds:.1f} s")
        elif event.state is BuildState.WAITING and event.line and self._live is None:
            self._say(event.unit, event.state, event.line)
        elif event.state is BuildState.BUILDING and self._live is None:
            now_s = time.monotonic()
            if changed or now_s - self._last_said_s.get(event.unit, now_s) >= HEARTBEAT_S:
                self._last_said_s[event.unit] = now_s
                self._say(event.unit, event.state, "" if changed else f"{event.seconds:.0f} s  {event.line}")

    def on_component(self, event: StackEvent) -> None:
        """Shows what a component does."""
        with self._lock:
            line = self._components.setdefault(event.component, _Line())
            line.update(event.state, event.detail)
        if self._live is None or event.state in (
            ComponentState.READY,
            ComponentState.STOPPED,
            ComponentState.FAILED,
        ):
            detail = event.detail.partition("\n")[0]
            if event.state is ComponentState.READY and not detail:
                detail = f"in {line.seconds:.1f} s"
            self._say(event.component, event.state, detail)

    # --- messages --------------------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """A line of progress."""
        self.err.print(f"{self._stamp()}{escape(text)}")

    def error(self, text: str) -> None:
        """What went wrong."""
        self.err.print(f"[bold red]error:[/] {escape(text)}")

    def _say(self, name: str, state: str, detail: str) -> None:
        style = _STYLES.get(state, "")
        word = f"[{style}]{state:<9}[/]" if style else f"{state:<9}"
        self.err.print(f"{self._stamp()}{name:<15} {word} {escape(detail)}".rstrip())

    def _stamp(self) -> str:
        return "" if self.err.is_terminal else time.strftime("%H:%M:%S ")

    def _view(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        with self._lock:
            for lines in (self._builds, self._components):
                for name, line in lines.items():
                    if line.state not in ("building", "starting", "stopping", "waiting"):
                        continue
                    elapsed = "" if line.state == "waiting" else f"{line.seconds:.0f} s"
                    width = max(10, self.err.width - 42)
                    table.add_row(
                        Text(name),
                        Text(line.state, style=_STYLES[line.state]),
                        Text(elapsed),
                        Text(line.text[:width], "dim"),
                    )
        return table

    # --- tables ----------------------------------------------------------------------------------------

    def doctor(self, findings: Iterable[Finding]) -> None:
        """What the machine has and lacks."""
        table = _table("", "prerequisite", "found", "get it with")
        for finding in findings:
            mark = Text("ok", style="green") if finding.ok else Text("missing", style="bold red")
            table.add_row(mark, finding.name, finding.found, "" if finding.ok else finding.remedy)
        self.out.print(table)

    def status(self, rows: Sequence[Row], *, seconds: Mapping[str, float] | None = None) -> None:
        """Components with health and memory; `seconds` are those that each took to start."""
        table = _table(
            "component", "health", "pid", "rss MiB", "pss MiB", "port", *(("start s",) if seconds else ())
        )
        for row in rows:
            health = Text(
                row.health[:60],
                style="green" if row.ready else "dim" if row.health == "stopped" else "bold red",
            )
            cells: list[RenderableType] = [
                row.component,
                health,
                str(row.pid or "-"),
                _mib(row.rss),
                _mib(row.pss),
            ]
            cells.append(str(row.port))
            if seconds:
                cells.append(f"{seconds[row.component]:.1f}" if row.component in seconds else "-")
            table.add_row(*cells)
        total: list[RenderableType] = [Text("all", style="bold"), "", ""]
        total += [_mib(sum(row.rss or 0 for row in rows)), _mib(sum(row.pss or 0 for row in rows)), ""]
        table.add_row(*total, *([""] if seconds else []))
        self.out.print(table)

    def urls(self, endpoints: Endpoints) -> None:
        """Where to click."""
        named = (
            ("page", endpoints.frontend),
            ("gateway", endpoints.go_service),
            ("Prometheus API", endpoints.prometheus),
            ("Tempo API", endpoints.tempo),
            ("Quickwit API", endpoints.quickwit),
            ("Alertmanager", endpoints.alertmanager),
            ("OTLP/HTTP", endpoints.otlp_http),
        )
        for name, url in named:
            if url is not None:
                self.out.print(f"{name:<15} {url}")


class _Line:
    """What is known of one unit or component for the live view."""

    def __init__(self) -> None:
        self.state = ""
        self.text = ""
        self._since_s = time.monotonic()
        self._until_s: float | None = None

    @property
    def seconds(self) -> float:
        return (self._until_s or time.monotonic()) - self._since_s

    def update(self, state: str, text: str) -> None:
        if state != self.state:
            if state in ("building", "starting", "stopping"):
                self._since_s, self._until_s = time.monotonic(), None
            else:
                self._until_s = time.monotonic()
        self.state = state
        self.text = text or self.text


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, justify="right" if column in _NUMBERS else "left", no_wrap=True)
    return table


_NUMBERS = frozenset({"pid", "rss MiB", "pss MiB", "port", "start s"})


def _mib(size: int | None) -> str:
    return "-" if size is None else f"{size / MIB:.0f}"
