"""The edges of the service graph are the declared edges: each call of the journey moved its edge, and between
the services that take part nothing else moved.

The graph is what people open first to see who calls whom, and no trace is in it to compare with. An edge
that is missing there hides a dependency; one that nobody declared is a call that nobody knows of. Counted is
what moved during the run. An edge may be too high only where others used the stack at the same time and no
file tee says what they did. Virtual nodes are not judged: the generator makes them up later, for the ends
that it never saw.

Rule: Tempo's service graphs processor (`traces_service_graph_request_total`), which pairs spans by parent id
and kind, and names a database by `db.namespace` or `db.system.name`.

Usual cause: a client span without kind CLIENT, a span between client and server that is not passed on, two
halves that came further apart than the generator waits, or a call that the contract does not know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tracewright.contracts.capture import Capture
from tracewright.contracts.findings import Finding, inconclusive, not_judged
from tracewright.contracts.graph import (
    DROPPED,
    UNPAIRED,
    Edge,
    declared_edges,
    edges_of,
    graph_spans,
    is_probes,
    moved,
    total,
)
from tracewright.contracts.match import match
from tracewright.contracts.model import Contract
from tracewright.signals import Span


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All declared edges that the graph lacks or counts too low, and all that it shows beside them."""
    run = capture.run
    error = run.errors.get("prometheus")
    if error:
        return [inconclusive("Prometheus", f"cannot say what it counted: {error}", "Prometheus is down")]
    if run.graph_before is None or run.graph_after is None:
        return [not_judged("service graph in Prometheus")]
    declared = declared_edges(contract, match(capture, contract))
    seen = moved(run)
    called = edges_of(graph_spans(run))
    table = _table(declared, seen, called)
    return [
        *_restarted(seen),
        *_missing(capture, contract, declared, seen, called, table),
        *_undeclared(capture, contract, declared, seen, called, table),
        *_dropped(capture),
    ]


def _restarted(seen: Mapping[Edge, float]) -> Iterator[Finding]:
    for edge, by in seen.items():
        if by < 0:
            yield inconclusive(
                str(edge), f"went down by {-by:g}", "the generator was restarted during the run"
            )


def _missing(
    capture: Capture,
    contract: Contract,
    declared: Mapping[Edge, str],
    seen: Mapping[Edge, float],
    called: Mapping[Edge, list[Span]],
    table: tuple[str, ...],
) -> Iterator[Finding]:
    own = capture.trace_ids
    # Where traces are sampled, a declared call may have left no span in the graph's sight.
    least = 1 if capture.run.sampling.whole else 0
    for edge, alias in sorted(declared.items()):
        wanted = max(len(called.get(edge, ())), least)
        by = seen.get(edge, 0.0)
        if 0 <= by < wanted:
            span = next((span for span in called.get(edge, ()) if span.trace_id in own), None)
            yield Finding(
                str(edge),
                "is counted too low in the service graph" if by else "is missing in the service graph",
                expected=f"+{wanted} (declared at {contract.place('spans', alias)})",
                seen=f"+{by:g}",
                cause=_why(capture, bool(called.get(edge))),
                span=span.key if span else None,
                alias=alias,
                evidence=table,
            )


def _why(capture: Capture, paired: bool) -> str:
    if not paired:
        return "no client span has this server span right below it: kind or parent is wrong"
    run = capture.run
    unpaired = total(run.graph_after, UNPAIRED) - total(run.graph_before, UNPAIRED)
    if unpaired > 0:
        return f"{unpaired:g} spans waited for their other half in vain: it came too late, or not at all"
    return "the generator is behind or off, or its spans did not get there"


def _undeclared(
    capture: Capture,
    contract: Contract,
    declared: Mapping[Edge, str],
    seen: Mapping[Edge, float],
    called: Mapping[Edge, list[Span]],
    table: tuple[str, ...],
) -> Iterator[Finding]:
    own = capture.trace_ids
    expected = ", ".join(map(str, sorted(declared))) or "no edge"
    for edge, spans in sorted(called.items()):
        culprit = next((span for span in spans if span.trace_id in own), None)
        if culprit is not None and edge not in declared and not is_probes(edge):
            yield Finding(
                str(edge),
                "is in the service graph and not in the contract",
                expected=expected,
                seen=f"+{seen.get(edge, 0.0):g}, by {culprit}",
                cause="a call that the contract does not declare, or a span that says it is another service",
                span=culprit.key,
                evidence=table,
            )
    for edge, by in sorted(seen.items()):
        between = edge.client in contract.services and edge.server in contract.services
        # Without a tee, others may have called: only their spans could tell, and those were not captured.
        if by > 0 and between and edge not in called and edge not in declared and capture.run.whole:
            yield Finding(
                str(edge),
                "moved in the service graph, and no captured call explains it",
                expected=expected,
                seen=f"+{by:g}",
                cause="spans that reached the store by another way than the collector, or a wrong pairing",
                evidence=table,
            )


def _dropped(capture: Capture) -> Iterator[Finding]:
    run = capture.run
    dropped = total(run.graph_after, DROPPED) - total(run.graph_before, DROPPED)
    if dropped > 0:
        yield Finding(
            DROPPED,
            "moved during the run",
            expected="+0",
            seen=f"+{dropped:g}",
            cause="more halves wait for their other half than the generator has room for",
        )


def _table(
    declared: Mapping[Edge, str], seen: Mapping[Edge, float], called: Mapping[Edge, list[Span]]
) -> tuple[str, ...]:
    """Both sides of every edge: what the spans say, and by how much the graph moved."""
    edges = sorted(declared.keys() | called.keys() | {edge for edge, by in seen.items() if by})
    width = max((len(str(edge)) for edge in edges), default=0)
    return tuple(
        f"{'►' if wrong else ' '} {edge!s:<{width}}  spans {spans:>3}  graph {by:>+4g}"
        f"{'' if edge in declared else '  not declared here'}"
        for edge in edges
        for spans, by in [(len(called.get(edge, ())), seen.get(edge, 0.0))]
        for wrong in [by < spans or (not spans and (by or edge in declared))]
    )
