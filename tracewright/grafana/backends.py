"""Sends a query to the backend behind its data source, with the parameters that Grafana's plugin would send.

Sources: Grafana's Prometheus and Tempo data sources, and Quickwit's plugin 0.6 (which speaks the
Elasticsearch-like `_msearch`). Times are seconds since the epoch.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import httpx

from tracewright.endpoints import Endpoints
from tracewright.grafana import elastic
from tracewright.grafana.answers import Refused, Series, numbers
from tracewright.grafana.model import Target
from tracewright.signals.tempo import Tempo

# The data source's `timeInterval`, and with it the finest step of a graph.
SCRAPE_S = 5
QUICKWIT_TYPE = "quickwit-quickwit-datasource"
_LABEL_VALUES = re.compile(r"label_values\((?P<series>.+),\s*(?P<label>\w+)\)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Window:
    """The time range of a page."""

    start_s: float
    end_s: float

    @classmethod
    def back(cls, seconds: float) -> Window:
        """The last so many seconds."""
        now = time.time()
        return cls(now - seconds, now)

    @property
    def step_s(self) -> int:
        """What Grafana's `$__interval` comes to in a panel of about 600 points."""
        return max(SCRAPE_S, int((self.end_s - self.start_s) / 600))

    @property
    def macros(self) -> dict[str, str]:
        """Grafana's own variables, by name."""
        range_s = int(self.end_s - self.start_s)
        return {
            "__interval": f"{self.step_s}s",
            "__interval_ms": str(self.step_s * 1000),
            "__rate_interval": f"{max(self.step_s + SCRAPE_S, 4 * SCRAPE_S)}s",
            "__range": f"{range_s}s",
            "__range_s": str(range_s),
            "__range_ms": str(range_s * 1000),
            "__from": str(int(self.start_s * 1000)),
            "__to": str(int(self.end_s * 1000)),
            "__url_time_range": f"from={int(self.start_s * 1000)}&to={int(self.end_s * 1000)}",
        }


class Backends:
    """The data sources of one stack. Raises `Refused` when a query is, or a backend does not answer."""

    def __init__(self, endpoints: Endpoints, timeout_s: float = 10.0) -> None:
        self._endpoints = endpoints
        self._http = httpx.Client(timeout=timeout_s, trust_env=False)

    def __enter__(self) -> Backends:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def ask(self, target: Target, window: Window) -> list[Series]:
        """What a target answers. Its placeholders are filled already."""
        kind = target["datasource"]["type"]
        if kind == "prometheus":
            return self._prometheus(target, window)
        if kind == "tempo":
            return self._tempo(target, window)
        if kind == QUICKWIT_TYPE:
            return self._quickwit(target, window)
        raise Refused(f"no backend is known for a data source of type {kind!r}")

    def values(self, target: Target, window: Window) -> list[str]:
        """The values of a variable."""
        text = target["variable"]
        if target["datasource"]["type"] == "prometheus":
            match = _LABEL_VALUES.match(text)
            if match is None:
                raise Refused(f"{text!r} is not label_values(series, label)")
            path = f"/api/v1/label/{match['label']}/values"
            found = self._prometheus_get(
                path, {"match[]": match["series"], "start": window.start_s, "end": window.end_s}
            )
            return [str(value) for value in found]
        asked = json.loads(text)
        return [series.name for series in self._msearch(elastic.values_body(asked["field"], window))]

    def trace(self, trace_id: str) -> list[Series]:
        """The spans of a trace, as its link opens it."""
        if self._endpoints.tempo is None:
            raise Refused("the stack has no Tempo")
        try:
            spans = Tempo(self._endpoints.tempo).trace(trace_id)
        except httpx.HTTPError as error:
            raise Refused(str(error)) from error
        return [
            Series({"service.name": span.service, "name": span.name, "spanID": span.span_id})
            for span in spans
        ]

    def exemplars(self, expr: str, window: Window) -> list[Series]:
        """The dots of a PromQL query: their labels."""
        found = self._prometheus_get(
            "/api/v1/query_exemplars", {"query": expr, "start": window.start_s, "end": window.end_s}
        )
        return [Series(exemplar["labels"]) for series in found for exemplar in series["exemplars"]]

    def rules(self) -> list[dict[str, Any]]:
        """Prometheus' rules, with the name of their group as `group`."""
        found = self._prometheus_get("/api/v1/rules", {})
        return [{**rule, "group": group["name"]} for group in found["groups"] for rule in group["rules"]]

    def selectors(self, expr: str) -> list[str]:
        """The series selectors of a PromQL expression, by Prometheus' own parser."""
        return sorted(set(_selectors(self._prometheus_get("/api/v1/parse_query", {"query": expr}))))

    def prometheus_now(self, expr: str, window: Window) -> list[Series]:
        """An instant query at the window's end."""
        found = self._prometheus_get("/api/v1/query", {"query": expr, "time": window.end_s})
        return [_series(one["metric"], [one["value"]]) for one in found["result"]]

    def _prometheus(self, target: Target, window: Window) -> list[Series]:
        if target.get("instant"):
            return self.prometheus_now(target["expr"], window)
        found = self._prometheus_get(
            "/api/v1/query_range",
            {"query": target["expr"], "start": window.start_s, "end": window.end_s, "step": window.step_s},
        )
        return [_series(one["metric"], one["values"]) for one in found["result"]]

    def _tempo(self, target: Target, window: Window) -> list[Series]:
        if target["queryType"] == "serviceMap":
            # The data source asks Prometheus for these; edges need both ends.
            return [
                edge
                for edge in self.prometheus_now(
                    "sum by (client, server) (rate(traces_service_graph_request_total"
                    f"[{window.macros['__range']}])) > 0",
                    window,
                )
                if edge.labels.get("client") and edge.labels.get("server")
            ]
        found = self._get(
            self._endpoints.tempo,
            "Tempo",
            "/api/search",
            {
                "q": target["query"],
                "limit": target.get("limit") or 20,
                "spss": target.get("spss") or 3,
                "start": int(window.start_s),
                "end": int(window.end_s) + 1,
            },
        )
        return [
            Series({"traceID": trace["traceID"], "traceName": str(trace.get("rootTraceName", ""))})
            for trace in found.get("traces") or ()
        ]

    def _quickwit(self, target: Target, window: Window) -> list[Series]:
        return self._msearch(elastic.query_body(target, window))

    def _msearch(self, body: Mapping[str, Any]) -> list[Series]:
        header = {"ignore_unavailable": True, "index": [self._endpoints.quickwit_index]}
        if self._endpoints.quickwit is None:
            raise Refused("the stack has no Quickwit")
        try:
            answer = self._http.post(
                f"{self._endpoints.quickwit}/api/v1/_elastic/_msearch",
                params={"max_concurrent_shard_requests": 256},
                content=f"{json.dumps(header)}\n{json.dumps(body)}\n",
                headers={"content-type": "application/x-ndjson"},
            )
        except httpx.HTTPError as error:
            raise Refused(f"Quickwit: {error or type(error).__name__}") from error
        if answer.is_error:
            raise Refused(f"Quickwit answered {answer.status_code}: {answer.text[:300]}")
        (response,) = answer.json()["responses"]
        if response["status"] != httpx.codes.OK:
            raise Refused(f"Quickwit: {response['error']['reason']}")
        return list(elastic.read(body, response))

    def _prometheus_get(self, path: str, params: Mapping[str, Any]) -> Any:
        return self._get(self._endpoints.prometheus, "Prometheus", path, params)["data"]

    def _get(self, url: str | None, name: str, path: str, params: Mapping[str, Any]) -> Any:
        if url is None:
            raise Refused(f"the stack has no {name}")
        try:
            answer = self._http.get(f"{url}{path}", params=dict(params))
        except httpx.HTTPError as error:
            raise Refused(f"{name}: {error or type(error).__name__}") from error
        if answer.is_error:
            raise Refused(f"{name} answered {answer.status_code}: {answer.text[:300]}")
        return answer.json()


def _series(labels: Mapping[str, str], points: list[list[Any]]) -> Series:
    return Series(labels, numbers([float(value) for _, value in points]), labels.get("__name__", ""))


def _selectors(node: Any) -> Iterator[str]:
    """All selectors below one node of Prometheus' syntax tree."""
    if isinstance(node, list):
        for part in node:
            yield from _selectors(part)
    elif isinstance(node, dict):
        if node.get("type") in ("vectorSelector", "matrixSelector"):
            matchers = (f"{m['name']}{m['type']}{json.dumps(m['value'])}" for m in node["matchers"])
            yield f"{{{', '.join(sorted(matchers))}}}"
        else:
            for part in node.values():
                yield from _selectors(part)
