"""The service graph: who called whom, from spans and as a generator counted it.

Tempo's metrics generator (and what speaks its names) pairs a client span with the server span below it, a
producer with a consumer below it, and takes a client span that names a database as a call of that database.
Here the same is done with captured spans, so that both can be compared. Virtual nodes (`user`, an unseen
peer) are left out: the generator makes them up only after it has waited for the other half in vain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tracewright.contracts.capture import PROBE_SERVICE, RunCapture
from tracewright.contracts.match import Matching
from tracewright.contracts.model import Contract
from tracewright.signals import Sample, Span, SpanKind

REQUESTS = "traces_service_graph_request_total"
DROPPED = "traces_service_graph_dropped_spans_total"
UNPAIRED = "traces_service_graph_unpaired_spans_total"
GRAPH_NAMES = frozenset({REQUESTS, DROPPED, UNPAIRED})
# Where Tempo looks for the name of a database, in its order; the last is the stable name.
DATABASE_NAMES = ("db.namespace", "db.name", "db.system", "db.system.name")
DATABASE = "database"
MESSAGING = "messaging_system"
VIRTUAL = "virtual_node"


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """A call as the graph names it. `connection` is empty between two services that were both seen."""

    client: str
    server: str
    connection: str = ""

    def __str__(self) -> str:
        return f"{self.client} → {self.server}{f' ({self.connection})' if self.connection else ''}"


def edges_of(spans: Iterable[Span]) -> dict[Edge, list[Span]]:
    """The edges that a generator finds in these spans, each with its called (or database client) spans."""
    spans = tuple(spans)
    callers = {span.key: span for span in spans if span.kind in (SpanKind.CLIENT, SpanKind.PRODUCER)}
    found: dict[Edge, list[Span]] = defaultdict(list)
    for span in spans:
        if span.kind is SpanKind.CLIENT and (database := database_of(span)):
            found[Edge(span.service, database, DATABASE)].append(span)
        elif span.kind in (SpanKind.SERVER, SpanKind.CONSUMER):
            caller = callers.get((span.trace_id, span.parent_span_id))
            if caller is not None and not (caller.kind is SpanKind.CLIENT and database_of(caller)):
                messaging = SpanKind.PRODUCER is caller.kind or SpanKind.CONSUMER is span.kind
                found[Edge(caller.service, span.service, MESSAGING if messaging else "")].append(span)
    return dict(found)


def database_of(span: Span) -> str:
    """The database that a span names; empty when it names none."""
    names = (span.attributes.get(key) for key in DATABASE_NAMES)
    return next((name for name in names if isinstance(name, str) and name), "")


def declared_edges(contract: Contract, matching: Matching) -> dict[Edge, str]:
    """The edges that follow from a contract, with the alias that each comes from.

    A server or consumer below a client or producer is one. What a database is called stands in its client
    spans only, so those edges come from the captured spans of declared clients.
    """
    found: dict[Edge, str] = {}
    for alias, rule in contract.spans.items():
        above = contract.spans.get(rule.parent or "")
        if above is not None and rule.kind in (SpanKind.SERVER, SpanKind.CONSUMER):
            if above.kind in (SpanKind.CLIENT, SpanKind.PRODUCER) and (rule.least or matching.spans[alias]):
                messaging = SpanKind.PRODUCER is above.kind or SpanKind.CONSUMER is rule.kind
                found.setdefault(Edge(above.service, rule.service, MESSAGING if messaging else ""), alias)
        elif rule.kind is SpanKind.CLIENT:
            for span in matching.spans[alias]:
                if database := database_of(span):
                    found.setdefault(Edge(rule.service, database, DATABASE), alias)
    return found


def graph_spans(run: RunCapture) -> tuple[Span, ...]:
    """The spans that the generator was given: all that were exported, less those that were sampled away."""
    if run.sampling.whole or run.stored_spans is None:
        return run.spans
    kept = {trace_id for trace_id, _ in run.stored_spans}
    return tuple(span for span in run.spans if span.trace_id in kept)


def moved(run: RunCapture) -> dict[Edge, float]:
    """By how much each edge's counter moved during the run; negative when its program was restarted."""
    before, after = totals(run.graph_before or ()), totals(run.graph_after or ())
    return {edge: value - before.get(edge, 0.0) for edge, value in after.items()}


def totals(samples: Iterable[Sample]) -> dict[Edge, float]:
    """The counters by edge, without virtual nodes; what else tells series apart is summed up."""
    found: dict[Edge, float] = defaultdict(float)
    for sample in samples:
        connection = sample.labels.get("connection_type", "")
        if sample.name == REQUESTS and connection != VIRTUAL:
            edge = Edge(sample.labels.get("client", ""), sample.labels.get("server", ""), connection)
            found[edge] += sample.value
    return dict(found)


def total(samples: Iterable[Sample] | None, name: str) -> float:
    """A counter's sum over all of its series."""
    return sum(sample.value for sample in samples or () if sample.name == name)


def behind(run: RunCapture, edges: Mapping[Edge, object]) -> Iterator[str]:
    """The edges that the graph counts too low, in short."""
    seen = moved(run)
    spans = edges_of(graph_spans(run))
    for edge in sorted(edges):
        wanted = len(spans.get(edge, ()))
        if seen.get(edge, 0.0) < wanted:
            yield f"{edge} {seen.get(edge, 0.0):g} of {wanted}"


def is_probes(edge: Edge) -> bool:
    """Whether it is the probe's own call of the journey's entry."""
    return edge.client == PROBE_SERVICE
