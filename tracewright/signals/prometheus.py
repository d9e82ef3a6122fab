"""Prometheus: instant queries and exemplars through its API, and its text format as programs expose it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

import httpx

from tracewright.signals.model import Sample

# A series without a sample for so long is gone.
LOOKBACK = "2m"
# One program writes all of its series at one time. Tempo begins a new one with 0, and may give its value a
# time that is a second ahead. Nothing marks those as gone that it had before it was restarted.
AHEAD = "offset -1500ms"
TOGETHER_S = 3.0
_LINE = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)(?:\s+\S+)?$")
_LABEL = re.compile(r'(?P<key>[a-zA-Z_]\w*)="(?P<value>(?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")


class Prometheus:
    """A client of one Prometheus. Raises `httpx.HTTPError` when it does not answer or refuses the query."""

    def __init__(
        self, base_url: str, timeout_s: float = 10.0, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=timeout_s, trust_env=False, transport=transport)

    def query(self, promql: str) -> list[Sample]:
        """The instant vector that a query gives now."""
        answer = self._http.post("/api/v1/query", data={"query": promql})
        answer.raise_for_status()
        return [
            Sample(
                name=str(series["metric"].get("__name__", "")),
                labels={key: value for key, value in series["metric"].items() if key != "__name__"},
                value=float(series["value"][1]),
            )
            for series in answer.json()["data"]["result"]
        ]

    def latest(self, names: Iterable[str]) -> list[Sample]:
        """The newest sample of every series that has one of these names, with the time when it was taken."""
        wanted = "|".join(re.escape(name) for name in sorted(set(names)))
        if not wanted:
            return []
        answer = self._http.post("/api/v1/query", data={"query": f'{{__name__=~"{wanted}"}}[{LOOKBACK}]'})
        answer.raise_for_status()
        return [
            Sample(
                name=str(series["metric"]["__name__"]),
                labels={key: value for key, value in series["metric"].items() if key != "__name__"},
                value=float(series["values"][-1][1]),
                time_s=float(series["values"][-1][0]),
            )
            for series in answer.json()["data"]["result"]
        ]

    def living(self, names: Iterable[str]) -> tuple[list[Sample], float]:
        """Every living series that has one of these names, and when the newest of them was sampled (seconds
        since the epoch).

        A series that its program no longer exposes, or no longer writes with the others, is not among them.
        Without a series the time is that since which each target was scraped: until then none had one. Where
        nothing is scraped it is infinite.
        """
        wanted = "|".join(re.escape(name) for name in sorted(set(names)))
        samples = self.query(f'{{__name__=~"{wanted}"}} {AHEAD}')
        if not samples:
            scraped = self.query("min(timestamp(up))")
            return [], scraped[0].value if scraped else math.inf
        taken_s = {
            (name, *sorted(taken.labels.items())): taken.value
            for name in {sample.name for sample in samples}
            for taken in self.query(f"timestamp({name} {AHEAD})")
        }
        newest_s = max(taken_s.values(), default=0.0)
        living = [
            sample
            for sample in samples
            if taken_s.get((sample.name, *sorted(sample.labels.items())), newest_s) >= newest_s - TOGETHER_S
        ]
        return living, newest_s

    def exemplar_trace_ids(self, metric: str, start_s: float, end_s: float) -> frozenset[str]:
        """Trace ids of the exemplars of a metric in a span of time (seconds since the epoch)."""
        answer = self._http.get(
            "/api/v1/query_exemplars", params={"query": metric, "start": start_s, "end": end_s}
        )
        answer.raise_for_status()
        return frozenset(
            exemplar["labels"]["trace_id"]
            for series in answer.json()["data"]
            for exemplar in series["exemplars"]
            if "trace_id" in exemplar["labels"]
        )

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()


def read_exposition(text: str) -> Iterator[Sample]:
    """The samples of a Prometheus text exposition. Raises `ValueError` at a line that is none."""
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        # OpenMetrics puts an exemplar behind " # "; it is no part of the sample.
        match = _LINE.match(line.split(" # ", 1)[0].strip())
        if match is None:
            raise ValueError(f"not a Prometheus sample: {line[:120]!r}")
        yield Sample(
            name=match["name"],
            labels={
                label["key"]: _ESCAPE.sub(lambda m: "\n" if m[1] == "n" else m[1], label["value"])
                for label in _LABEL.finditer(match["labels"] or "")
            },
            value=float(match["value"]),
        )
