"""Tempo's query API: a trace by its id, and the traces that link to it."""

from __future__ import annotations

import httpx

from tracewright.signals import otlp
from tracewright.signals.model import Span

SEARCH_LIMIT = 100


class Tempo:
    """A client of one Tempo (or of what speaks its API). Raises `httpx.HTTPError` when it does not answer."""

    def __init__(
        self, base_url: str, timeout_s: float = 10.0, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=timeout_s, trust_env=False, transport=transport)

    def trace(self, trace_id: str) -> list[Span]:
        """All spans of a trace; empty when Tempo does not know it."""
        answer = self._http.get(f"/api/traces/{trace_id}", headers={"accept": "application/json"})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return []
        answer.raise_for_status()
        return otlp.read_spans(answer.json())

    def traces_linking_to(self, trace_id: str) -> list[str]:
        """Ids of traces (32 digits) that hold a span with a link to the given trace."""
        return self.search(f'{{ link:traceID = "{trace_id}" }}')

    def search(self, traceql: str) -> list[str]:
        """Ids of the traces (32 digits) that a TraceQL query finds, newest first."""
        answer = self._http.get("/api/search", params={"q": traceql, "limit": SEARCH_LIMIT})
        answer.raise_for_status()
        return [str(trace["traceID"]).rjust(32, "0") for trace in answer.json().get("traces") or ()]

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()
