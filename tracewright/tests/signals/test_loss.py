from __future__ import annotations

import httpx

from tracewright.signals.loss import LossSource, read_losses

SOURCE = LossSource("otel-collector", "http://collector/metrics")
TEXT = """
otelcol_receiver_accepted_spans_total{receiver="otlp"} 5
otelcol_receiver_accepted_log_records_total{receiver="otlp"} 5
otelcol_receiver_refused_spans_total{receiver="otlp"} 0
otelcol_processor_memory_limiter_refused_spans_total 1
otelcol_processor_filter_dropped_spans_total 9
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


def test_source_that_does_not_answer_is_a_reading_with_its_error() -> None:
    assert "503" in read_losses(SOURCE, answering("", 503)).error
    assert "not a Prometheus sample" in read_losses(SOURCE, answering("<html>")).error
