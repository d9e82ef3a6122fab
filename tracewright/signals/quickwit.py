"""Quickwit's search API: the log records of one index, as a person's link finds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from tracewright.signals import otlp
from tracewright.signals.model import Attributes, LogRecord, Resource

MAX_HITS = 5000


class Quickwit:
    """A client of one index. Raises `httpx.HTTPError` when Quickwit does not answer or refuses the query."""

    def __init__(
        self,
        base_url: str,
        index: str,
        timeout_s: float = 10.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._index = index
        self._http = httpx.Client(base_url=base_url, timeout=timeout_s, trust_env=False, transport=transport)

    def search(self, query: str) -> list[LogRecord]:
        """The records that a query finds (at most `MAX_HITS`), oldest first."""
        answer = self._http.post(
            f"/api/v1/{self._index}/search",
            json={"query": query, "max_hits": MAX_HITS, "sort_by": "-timestamp_nanos"},
        )
        answer.raise_for_status()
        return [read_document(hit) for hit in answer.json()["hits"]]

    def logs_of_trace(self, trace_id: str) -> list[LogRecord]:
        """The records of one trace, by the query that a trace page's link to its logs sends."""
        return self.search(f"trace_id:{trace_id}")

    def logs_without_trace(self, services: frozenset[str], start_ns: int, end_ns: int) -> list[LogRecord]:
        """Records of the services in a span of time that name no trace."""
        if not services:
            return []
        named = " OR ".join(f'service_name:"{service}"' for service in sorted(services))
        return self.search(f"({named}) AND timestamp_nanos:[{start_ns} TO {end_ns}] AND NOT trace_id:*")

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()


def read_document(hit: Mapping[str, Any]) -> LogRecord:
    """One document of Quickwit's OTLP log mapping as a log record.

    `service_name` goes back into the resource.
    """
    resource: Attributes = {
        **(hit.get("resource_attributes") or {}),
        "service.name": str(hit.get("service_name", "")),
    }
    return LogRecord(
        time_ns=int(hit.get("timestamp_nanos") or 0),
        body=hit.get("body"),
        trace_id=otlp.read_id(hit.get("trace_id")),
        span_id=otlp.read_id(hit.get("span_id")),
        severity=str(hit.get("severity_text", "")),
        severity_number=int(hit.get("severity_number") or 0),
        attributes=hit.get("attributes") or {},
        resource=Resource(resource),
        scope=str(hit.get("scope_name", "")),
    )
