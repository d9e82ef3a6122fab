"""The metrics of the services that take part are those of the committed catalog: the same names, types, units
and labels.

A metric that is renamed, loses a label or changes its unit breaks dashboards and alerts without an error
anywhere: a query for what is gone gives nothing, and nothing looks like silence. A new label multiplies
series. So the catalog is a file, and a change of it is seen in a review. Asked is what the journey's services
exported during the run; a metric with `when` is missed only after a span of that name. A label is judged on
series that moved, since what a process once counted it repeats until it ends.

Rule: the OpenTelemetry metric data model (name, instrument and unit identify a metric) and the metric
conventions on names and units.

Usual cause: an upgraded instrumentation, a renamed instrument, an attribute that came or went, or a metric
reader that was not set up. An intended change is learned with `make metrics`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from tracewright.contracts.capture import Capture, RunCapture
from tracewright.contracts.catalog import COLLECTOR, Catalog, MetricEntry, MetricShape
from tracewright.contracts.findings import Finding, not_judged
from tracewright.contracts.model import Contract, name_matches


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All metrics that are missing, new, or not as the catalog says."""
    catalog, run = contract.catalog, capture.run
    if catalog is None or run.metric_shapes is None:
        return [not_judged("copy of the metrics as they were exported (a file tee)")]
    seen: dict[tuple[str, str], list[MetricShape]] = defaultdict(list)
    for shape in run.metric_shapes:
        seen[shape.service, shape.name].append(shape)
    active = {span.service for span in capture.all_spans}
    findings: list[Finding] = []
    for service in sorted((active | {COLLECTOR}) & (contract.services | {COLLECTOR})):
        entries = catalog.services.get(service, {})
        findings.extend(_missing(service, catalog, run))
        for (owner, name), shapes in sorted(seen.items()):
            if owner == service and name not in entries:
                findings.append(_new(shapes[0], catalog))
            elif owner == service:
                findings.extend(_changed(shapes, entries[name], catalog))
    return findings


def _missing(service: str, catalog: Catalog, run: RunCapture) -> Iterator[Finding]:
    names = {span.name for span in run.spans if service in (span.service, COLLECTOR)}
    exported = {shape.name for shape in run.metric_shapes or () if shape.service == service}
    for name, entry in catalog.services.get(service, {}).items():
        due = entry.when is None or any(name_matches(entry.when, span) for span in names)
        if due and name not in exported:
            yield Finding(
                f"{service}: {name}",
                "was not exported",
                expected=f"{_text(entry)} (declared at {catalog.place(service, name)})",
                seen=f"{len(exported)} other metrics of {service}" if exported else f"no metric of {service}",
                cause="the instrument was renamed or is gone"
                if exported
                else "the service has no metric reader, or its export does not get through",
            )


def _new(shape: MetricShape, catalog: Catalog) -> Finding:
    return Finding(
        f"{shape.service}: {shape.name}",
        "is not in the catalog",
        expected=f"one of the {len(catalog.services.get(shape.service, {}))} metrics in {catalog.source}",
        seen=f"{shape.type}, unit {shape.unit or '(none)'}, labels {', '.join(shape.labels) or '(none)'}",
        cause="a new or renamed instrument: if it is meant, `make metrics` learns it",
    )


def _changed(shapes: list[MetricShape], entry: MetricEntry, catalog: Catalog) -> Iterator[Finding]:
    told = set()
    for shape in shapes:
        wrong = []
        if shape.type != entry.type:
            wrong.append(f"is a {shape.type}")
        if shape.unit != entry.unit:
            wrong.append(f"has the unit {shape.unit or '(none)'}")
        if shape.moved and (lost := sorted(set(entry.labels) - set(shape.labels))):
            wrong.append(f"lacks the label {', '.join(lost)}")
        if shape.moved and (extra := sorted(set(shape.labels) - {*entry.labels, *entry.sometimes})):
            wrong.append(f"has the undeclared label {', '.join(extra)}")
        text = " and ".join(wrong)
        if text and text not in told:
            told.add(text)
            yield Finding(
                f"{shape.service}: {shape.name}",
                text,
                expected=f"{_text(entry)} (declared at {catalog.place(shape.service, shape.name)})",
                seen=f"{shape.type}, unit {shape.unit or '(none)'}, labels {', '.join(shape.labels)}",
            )


def _text(entry: MetricEntry) -> str:
    labels = ", ".join([*entry.labels, *(f"{label}?" for label in entry.sometimes)]) or "(none)"
    return f"{entry.type}, unit {entry.unit or '(none)'}, labels {labels}"
