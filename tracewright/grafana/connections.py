"""The ways between the data sources, from their provisioning files: correlations and the links by trace id.

A person's click on a log line, a span or an exemplar is tried with what the stack holds now: once for each
service that has both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tracewright.grafana.answers import Answered, Refused, Series
from tracewright.grafana.backends import QUICKWIT_TYPE, Backends, Window
from tracewright.grafana.following import text_of
from tracewright.grafana.judging import summary
from tracewright.grafana.template import Unfilled, fill

Source = Mapping[str, Any]
SDK_LABEL = "trace_id"
GENERATED = '{__name__=~"traces_(spanmetrics|service_graph)_.+_bucket"}'


@dataclass(frozen=True, slots=True)
class Click:
    """A log record, and the span that it was written in."""

    record: Series
    span: Series


def load_sources(folder: Path) -> list[Source]:
    """The data sources of all files of a folder. `$$` is a `$`, as Grafana reads it."""
    return [
        source
        for path in sorted(folder.glob("*.y*ml"))
        for source in yaml.safe_load(path.read_text(encoding="utf-8").replace("$$", "$"))["datasources"]
    ]


def connections(backends: Backends, window: Window, sources: Sequence[Source]) -> Iterator[Answered]:
    """Every way between two data sources."""
    kinds = {source["uid"]: source["type"] for source in sources}
    try:
        clicks = list(_clicks(backends, window))
    except Refused as error:
        yield Answered("data sources", "a log record with a trace", problem=str(error))
        return
    for source in sources:
        place = f"data source {source['uid']}"
        settings = source.get("jsonData", {})
        for link in settings.get("dataLinks") or ():
            ask = partial(_from_log, backends, link)
            yield _tried(f"{place} · {link['field']} → {link['datasourceUid']}", link["url"], clicks, ask)
        for way in settings.get("exemplarTraceIdDestinations") or ():
            yield _exemplar(backends, window, f"{place} · exemplar {way['name']}", way["name"])
        tags = (settings.get("tracesToMetrics") or {}).get("tags", ())
        for query in (settings.get("tracesToMetrics") or {}).get("queries", ()):
            ask = partial(_to_metrics, backends, window, query["query"], tags)
            yield _tried(f"{place} · span → {query['name']}", query["query"], clicks, ask)
        for way in source.get("correlations") or ():
            kind = {"type": kinds[way["targetUID"]], "uid": way["targetUID"]}
            target = {**way["config"]["target"], "datasource": kind}
            ask = partial(_correlated, backends, window, target)
            yield _tried(f"{place} · {way['label']}", text_of(target), clicks, ask)


def _clicks(backends: Backends, window: Window) -> Iterator[Click]:
    """One for each service. Raises `Refused` when no service has a record with a stored span."""
    kind = {"type": QUICKWIT_TYPE}
    services = backends.values({"datasource": kind, "variable": '{"field": "service_name"}'}, window)
    found = False
    for service in services:
        query = f'service_name:"{service}" AND trace_id:*'
        metrics = [{"type": "logs", "settings": {"limit": "20"}}]
        for record in backends.ask({"datasource": kind, "query": query, "metrics": metrics}, window):
            spans = backends.trace(record.labels["trace_id"])
            written_in = [span for span in spans if span.labels["spanID"] == record.labels.get("span_id")]
            if written_in:
                found = True
                yield Click(record, written_in[0])
                break
    if not found:
        raise Refused(f"no record of {', '.join(services) or 'any service'} was written in a stored span")


def _tried(
    place: str, text: str, clicks: Sequence[Click], ask: Callable[[Click], Sequence[Series]]
) -> Answered:
    """One way at every click; the first that fails, if any does."""
    found: Sequence[Series] = ()
    for click in clicks:
        service = click.record.labels["service_name"]
        try:
            found = ask(click)
        except (Refused, Unfilled) as error:
            return Answered(place, text, problem=f"from {service}: {error}")
        if not found:
            return Answered(place, text, problem=f"from {service}: leads to nothing")
    return Answered(place, text, f"{summary(found)}, from {len(clicks)} services")


def _from_log(backends: Backends, link: Mapping[str, str], click: Click) -> list[Series]:
    """From a log line to the trace that it names."""
    value = click.record.labels.get(link["field"], "")
    return backends.trace(fill(link["url"], {"__value.raw": value}))


def _exemplar(backends: Backends, window: Window, place: str, label: str) -> Answered:
    """From a dot to its trace. The series of Tempo's metrics generator have a label of their own."""
    expr = "http_server_request_duration_seconds_bucket" if label == SDK_LABEL else GENERATED
    try:
        ids = [dot.labels[label] for dot in backends.exemplars(expr, window) if label in dot.labels]
        if not ids and label != SDK_LABEL:
            return Answered(place, expr, skipped=f"no series here has exemplars with the label {label}")
        # The newest may still be on its way to the store.
        opened = next((spans for one in reversed(ids) if (spans := backends.trace(one))), [])
    except Refused as error:
        return Answered(place, expr, problem=str(error))
    if not ids:
        return Answered(place, expr, problem=f"no exemplar has the label {label}")
    return Answered(place, expr, summary(opened), problem="" if opened else "leads to no trace")


def _to_metrics(
    backends: Backends, window: Window, query: str, tags: Sequence[Mapping[str, str]], click: Click
) -> list[Series]:
    """From a span to metrics: Grafana makes matchers (`$__tags`) of those attributes that are named."""
    matchers = (
        f"{tag.get('value') or tag['key']}={json.dumps(click.span.labels[tag['key']])}"
        for tag in tags
        if click.span.labels.get(tag["key"])
    )
    values = {**window.macros, "__tags": ", ".join(matchers), "__span.name": click.span.labels["name"]}
    return backends.ask({"datasource": {"type": "prometheus"}, "expr": fill(query, values)}, window)


def _correlated(backends: Backends, window: Window, target: Mapping[str, Any], click: Click) -> list[Series]:
    """From a span to what a correlation asks. The variables are those of Grafana's trace view."""
    values = {
        **window.macros,
        "traceID": click.record.labels["trace_id"],
        "spanID": click.span.labels["spanID"],
        "serviceName": click.span.labels["service.name"],
    }
    key = "expr" if "expr" in target else "query"
    return backends.ask({**target, key: fill(target[key], values)}, window)
