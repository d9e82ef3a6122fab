from __future__ import annotations

import httpx
import pytest

from tracewright.endpoints import Endpoints
from tracewright.signals import Sample
from tracewright.signals.loss import (
    RECEIVED,
    STORED_LOGS,
    STORED_SPANS,
    loss_sources,
    read_losses,
    read_queues,
    read_sdk_losses,
    signal_of,
)
from tracewright.signals.prometheus import Prometheus

SOURCE, TEMPO, QUICKWIT = loss_sources(
    Endpoints(collector_metrics="http://collector", tempo="http://tempo", quickwit="http://quickwit/")
)
TEXT = """
otelcol_receiver_accepted_spans_total{receiver="otlp"} 5
otelcol_receiver_accepted_log_records_total{receiver="otlp"} 5
otelcol_receiver_refused_spans_total{receiver="otlp"} 0
otelcol_processor_memory_limiter_refused_spans_total 1
otelcol_processor_filter_dropped_spans_total 9
otelcol_processor_tail_sampling_sampling_trace_dropped_too_early_total 9
otelcol_exporter_enqueue_failed_spans_total{exporter="tempo"} 2
otelcol_exporter_in_flight_requests{data_type="traces",exporter="tempo"} 0
otelcol_exporter_in_flight_requests{data_type="traces",exporter="file"} 0
otelcol_exporter_sent_spans_total{exporter="file"} 5
"""


def answering(text: str, status: int = 200) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(status, text=text)))


def test_counters_of_loss_are_read_and_a_filter_is_none() -> None:
    names = [sample.name for sample in read_losses(SOURCE, answering(TEXT)).samples]
    assert names == [
        "otelcol_receiver_refused_spans_total",
        "otelcol_processor_memory_limiter_refused_spans_total",
        "otelcol_exporter_enqueue_failed_spans_total",
    ]


def test_exporter_that_sent_nothing_is_a_missing_witness_beside_one_that_did() -> None:
    witnesses = read_losses(SOURCE, answering(TEXT)).witnesses
    assert witnesses['otelcol_exporter_sent_spans{exporter="file"}'] == 5
    assert witnesses['otelcol_exporter_sent_spans{exporter="tempo"}'] is None
    assert witnesses["otelcol_receiver_accepted_spans"] == 5
    assert witnesses["otelcol_receiver_accepted_metric_points"] is None


def test_what_an_exporter_has_to_send_is_told_of_spans_and_records_together() -> None:
    """A queue of one signal that is empty does not hide another's."""
    text = "\n".join(
        f'otelcol_exporter_queue_size{{data_type="{signal}",exporter="{exporter}"}} {size}'
        for exporter, signal, size in (
            ("otlp", "traces", 3),
            ("otlp", "logs", 0),
            ("otlp", "metrics", 7),
            ("loki", "logs", 0),
        )
    )
    assert read_queues(SOURCE, answering(text)) == {"otlp": 3, "loki": 0}
    assert read_queues(SOURCE, answering("", 503)) == {}


def test_source_that_does_not_answer_is_a_reading_with_its_error() -> None:
    assert "503" in read_losses(SOURCE, answering("", 503)).error
    assert "not a Prometheus sample" in read_losses(SOURCE, answering("<html>")).error


def test_page_that_is_not_served_is_no_error() -> None:
    reading = read_losses(TEMPO, answering("no such page", 404))
    assert (reading.unserved, reading.error) == (True, "")


def test_stores_are_read_at_their_own_pages() -> None:
    assert [SOURCE.url, TEMPO.url, QUICKWIT.url] == [
        "http://collector/metrics",
        "http://tempo/metrics",
        "http://quickwit/metrics",
    ]


def test_losses_of_the_real_stores_and_of_the_embedded_one_are_told_from_the_rest() -> None:
    text = """
tempo_distributor_spans_received_total{tenant="single-tenant"} 7
tempo_discarded_spans_total{reason="live_traces_exceeded"} 1
tempo_request_duration_seconds_count 4
"""
    reading = read_losses(TEMPO, answering(text))
    assert [sample.name for sample in reading.samples] == ["tempo_discarded_spans_total"]
    assert reading.witnesses == {"tempo_distributor_spans_received_total": 7}

    text = """
quickwit_otlp_ingested_log_records_total{index="logs"} 3
quickwit_indexing_processed_docs_total{index="logs",docs_processed_status="valid"} 2
quickwit_indexing_processed_docs_total{index="logs",docs_processed_status="doc_mapper_error"} 1
"""
    reading = read_losses(QUICKWIT, answering(text))
    assert [sample.labels["docs_processed_status"] for sample in reading.samples] == ["doc_mapper_error"]
    assert reading.witnesses == {"quickwit_otlp_ingested_log_records_total": 3}

    reading = read_losses(QUICKWIT, answering("tracewright_store_logs_rejected_total 1\n"))
    assert [sample.value for sample in reading.samples] == [1]
    assert reading.witnesses == {"tracewright_store_logs_accepted_total": None}


def test_sdks_are_asked_for_what_they_lost_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = Sample("otel_sdk_processor_span_processed_total", {"error_type": "queue_full"}, 3)
    prometheus = Prometheus("http://prometheus")
    monkeypatch.setattr(prometheus, "query", lambda query: [lost] if 'error_type!=""' in query else [])
    assert read_sdk_losses(prometheus).samples == (lost,)
    prometheus.close()


def test_witness_tells_its_signal() -> None:
    assert [signal_of(name) for name in (*RECEIVED, *STORED_SPANS, *STORED_LOGS)] == [
        "traces",
        "logs",
        "metrics",
        "traces",
        "traces",
        "logs",
        "logs",
    ]
