"""The bodies are those that Quickwit's Grafana plugin was seen to send."""

from __future__ import annotations

import pytest

from tracewright.grafana.answers import Refused, Series
from tracewright.grafana.backends import Window
from tracewright.grafana.elastic import query_body, read, values_body

# 2026-01-15T10:00:00Z to 11:00:00Z.
WINDOW = Window(1768471200.0, 1768474800.0)
RANGE = {
    "range": {"timestamp_nanos": {"gte": "2026-01-15T10:00:00.000000Z", "lte": "2026-01-15T11:00:00.000000Z"}}
}
OVER_TIME = {
    "type": "date_histogram",
    "id": "3",
    "field": "timestamp_nanos",
    "settings": {"interval": "auto", "min_doc_count": "0"},
}
BY_LEVEL = {
    "type": "terms",
    "id": "2",
    "field": "severity_text",
    "settings": {"size": "10", "order": "desc", "orderBy": "_count", "min_doc_count": "1"},
}


def test_records_are_asked_newest_first() -> None:
    metric = {"type": "logs", "id": "1", "settings": {"limit": "100"}}
    body = query_body({"query": "severity_text:ERROR", "metrics": [metric], "bucketAggs": []}, WINDOW)
    assert body == {
        "query": {
            "bool": {
                "filter": [
                    RANGE,
                    {"query_string": {"default_operator": "AND", "query": "severity_text:ERROR"}},
                ]
            }
        },
        "size": 100,
        "sort": [{"timestamp_nanos": {"format": "epoch_nanos_int", "order": "desc"}}],
    }


def test_counts_are_terms_over_a_histogram_that_fills_the_window() -> None:
    metric = {"type": "count", "id": "1"}
    body = query_body({"query": "", "metrics": [metric], "bucketAggs": [BY_LEVEL, OVER_TIME]}, WINDOW)
    terms = body["aggs"]["2"]
    assert terms["terms"]["field"] == "severity_text"
    assert terms["aggs"]["3"]["date_histogram"] == {
        "field": "timestamp_nanos",
        "fixed_interval": "6000ms",
        "min_doc_count": 0,
        "extended_bounds": {"min": 1768471200000, "max": 1768474800000},
    }
    assert body["query"]["bool"]["filter"] == [RANGE]


def test_variable_asks_for_the_terms_of_its_field() -> None:
    assert values_body("service_name", WINDOW)["aggs"][""]["terms"]["order"] == {"_key": "asc"}


def test_lines_are_read_for_each_term_without_the_empty_buckets() -> None:
    metric = {"type": "percentiles", "id": "1", "field": "x", "settings": {"percents": ["75"]}}
    body = query_body({"query": "", "metrics": [metric], "bucketAggs": [BY_LEVEL, OVER_TIME]}, WINDOW)
    buckets = [
        {"doc_count": 2, "1": {"values": {"75.0": 4.5}}},
        {"doc_count": 0, "1": {"values": {"75.0": None}}},
    ]
    found = {
        "aggregations": {"2": {"buckets": [{"key": "ERROR", "doc_count": 2, "3": {"buckets": buckets}}]}}
    }
    assert list(read(body, found)) == [Series({"severity_text": "ERROR"}, (4.5,), "ERROR")]


def test_records_are_read_with_dotted_names() -> None:
    metric = {"type": "logs", "id": "1", "settings": {}}
    body = query_body({"query": "", "metrics": [metric], "bucketAggs": []}, WINDOW)
    hit = {"_source": {"service_name": "a", "attributes": {"tenant.id": "acme"}}}
    (record,) = read(body, {"hits": {"hits": [hit]}})
    assert record.labels == {"service_name": "a", "attributes.tenant.id": "acme"}


def test_bucket_that_quickwit_has_not_is_refused() -> None:
    metric = {"type": "count", "id": "1"}
    bucket = {"type": "filters", "id": "2", "settings": {}}
    with pytest.raises(Refused, match="'filters' buckets"):
        query_body({"query": "", "metrics": [metric], "bucketAggs": [bucket]}, WINDOW)
