"""The bodies that Quickwit's Grafana plugin sends to `_msearch`, and how it reads the answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tracewright.grafana.answers import Refused, Series, numbers

if TYPE_CHECKING:
    from tracewright.grafana.backends import Window

TIME_FIELD = "timestamp_nanos"
RECORDS = ("logs", "raw_data")


def query_body(target: Mapping[str, Any], window: Window) -> dict[str, Any]:
    """The body of a panel's query. Raises `Refused` for what the plugin could not send."""
    filters: list[dict[str, Any]] = [_range(window)]
    if target["query"]:
        filters.append({"query_string": {"default_operator": "AND", "query": target["query"]}})
    body: dict[str, Any] = {"query": {"bool": {"filter": filters}}, "size": 0}
    (metric,) = target["metrics"]
    if metric["type"] in RECORDS:
        order = {TIME_FIELD: {"format": "epoch_nanos_int", "order": "desc"}}
        return {**body, "size": int(metric["settings"].get("limit", 100)), "sort": [order]}
    inner = _metric(metric)
    for bucket in reversed(target["bucketAggs"]):
        inner = {bucket["id"]: {**_bucket(bucket, window), **({"aggs": inner} if inner else {})}}
    return {**body, "aggs": inner}


def values_body(field: str, window: Window) -> dict[str, Any]:
    """The body of a variable's query: the values of one field."""
    terms = {"field": field, "size": 1000, "shard_size": 1000, "order": {"_key": "asc"}}
    return {"query": {"bool": {"filter": _range(window)}}, "size": 0, "aggs": {"": {"terms": terms}}}


def read(body: Mapping[str, Any], response: Mapping[str, Any]) -> Iterator[Series]:
    """The records, or the lines, of one answer."""
    if "aggs" not in body:
        for hit in response["hits"]["hits"]:
            yield Series(dict(_flat(hit["_source"])))
        return
    yield from _lines(body["aggs"], response["aggregations"], {})


def _lines(asked: Mapping[str, Any], found: Mapping[str, Any], labels: Mapping[str, str]) -> Iterator[Series]:
    ((name, aggregation),) = asked.items()
    buckets = found[name]["buckets"]
    inner = aggregation.get("aggs")
    if "terms" in aggregation:
        for bucket in buckets:
            key = str(bucket.get("key_as_string", bucket["key"]))
            own = {**labels, aggregation["terms"]["field"]: key}
            if inner:
                yield from _lines(inner, bucket, own)
            else:
                yield Series(own, (float(bucket["doc_count"]),), key)
        return
    values = [_value(inner, bucket) for bucket in buckets]
    yield Series(labels, numbers(values), " ".join(labels.values()))


def _value(inner: Mapping[str, Any] | None, bucket: Mapping[str, Any]) -> float | None:
    if not inner:
        return float(bucket["doc_count"])
    ((name, _),) = inner.items()
    found = bucket[name]
    value = next(iter(found["values"].values())) if "values" in found else found["value"]
    return None if value is None else float(value)


def _metric(metric: Mapping[str, Any]) -> dict[str, Any]:
    if metric["type"] == "count":
        return {}
    asked: dict[str, Any] = {"field": metric["field"]}
    if metric["type"] == "percentiles":
        asked["percents"] = [float(percent) for percent in metric["settings"]["percents"]]
    return {metric["id"]: {metric["type"]: asked}}


def _bucket(bucket: Mapping[str, Any], window: Window) -> dict[str, Any]:
    settings = bucket["settings"]
    if bucket["type"] == "terms":
        size = int(settings["size"]) or 100
        order = {settings["orderBy"]: settings["order"]}
        least = int(settings["min_doc_count"])
        terms = {
            "field": bucket["field"],
            "size": size,
            "shard_size": 100,
            "order": order,
            "min_doc_count": least,
        }
        return {"terms": terms}
    if bucket["type"] == "date_histogram":
        bounds = {"min": int(window.start_s * 1000), "max": int(window.end_s * 1000)}
        return {
            "date_histogram": {
                "field": bucket["field"],
                "fixed_interval": f"{window.step_s * 1000}ms",
                "min_doc_count": int(settings["min_doc_count"]),
                "extended_bounds": bounds,
            }
        }
    raise Refused(f"the plugin's {bucket['type']!r} buckets are not known here")


def _range(window: Window) -> dict[str, Any]:
    return {"range": {TIME_FIELD: {"gte": _rfc3339(window.start_s), "lte": _rfc3339(window.end_s)}}}


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """A document's fields with dotted names, as the plugin shows them."""
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)
