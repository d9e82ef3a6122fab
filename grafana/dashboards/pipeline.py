"""Telemetry pipeline: whether the other dashboards can be believed."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.dashboards.links import label, to_dashboard, to_logs, to_metrics
from grafana.dashboards.panels import Limits, Row, choice, lines, number, page
from grafana.dashboards.sources import promql, promql_now
from grafana.dashboards.terms import SIGNALS, lost

EXPORTER = 'exporter=~"$exporter"'
ANY = Limits(1, 1)


def passed(step: str, labels: str, legend: str) -> list[object]:
    """A line for each signal: what went through one step."""
    return [
        promql(f"sum(rate(otelcol_{step}_{noun}_total{{{labels}}}[$__rate_interval]))", legend.format(signal))
        for noun, signal in SIGNALS.items()
    ]


def build() -> Dashboard:
    """The dashboard."""
    why = to_logs("Warnings and errors", "severity_number:>=13")
    system = to_dashboard("Processes and machine", "system", job="otel-collector")
    queue = to_metrics("This queue", f'otelcol_exporter_queue_size{{exporter="{label("exporter")}"}}')
    return page(
        "pipeline",
        "Telemetry pipeline",
        "Is telemetry lost or late, so that the other dashboards lie?",
        [choice("exporter", "Exporter", "otelcol_exporter_queue_size", "exporter")],
        [
            Row(
                "Is anything lost or late?",
                [
                    number(
                        "Refused",
                        "Items that the collector turned away; well-behaved senders try again.",
                        promql_now(lost("receiver_refused"), "refused"),
                        "short",
                        why,
                        limits=ANY,
                    ),
                    number(
                        "Not delivered",
                        "Items that an exporter gave up, or could not put into its queue.",
                        promql_now(
                            lost("exporter_send_failed", "exporter_enqueue_failed"),
                            "failed",
                        ),
                        "short",
                        why,
                        limits=ANY,
                    ),
                    number(
                        "Rejected by the stores",
                        "Records and spans that a store would not keep, by its own count.",
                        promql_now(
                            "(sum(increase(tracewright_store_logs_rejected_total[$__range]))"
                            ' or sum(increase(quickwit_indexing_processed_docs_total{docs_processed_status!="valid"}[$__range]))'
                            " or vector(0)) + (sum(increase(tempo_discarded_spans_total[$__range])) or vector(0))",
                            "rejected",
                        ),
                        "short",
                        why,
                        limits=ANY,
                    ),
                    number(
                        "Fullest queue",
                        "Share of an exporter's queue in use. The queue is on disk and survives a restart; full, it refuses.",
                        promql(
                            f"max(otelcol_exporter_queue_size{{{EXPORTER}}} / otelcol_exporter_queue_capacity{{{EXPORTER}}})",
                            "used",
                        ),
                        "percentunit",
                        to_metrics("Queues", "otelcol_exporter_queue_size"),
                        limits=Limits(0.5, 0.9),
                    ),
                    number(
                        "Late for Prometheus",
                        "Points that Prometheus took although newer ones were there: a batch that had to wait.",
                        promql_now(
                            "sum(increase(prometheus_tsdb_head_out_of_order_samples_appended_total[$__range]))",
                            "late",
                        ),
                        "short",
                        to_metrics(
                            "Rate", "rate(prometheus_tsdb_head_out_of_order_samples_appended_total[1m])"
                        ),
                    ),
                    number(
                        "Exemplars kept",
                        "Exemplars in Prometheus' memory: the dots that lead from a graph to a trace.",
                        promql("sum(prometheus_tsdb_exemplar_exemplars_in_storage)", "exemplars"),
                        "short",
                        to_dashboard("Requests by route", "api"),
                        limits=Limits(1, 0, falling=True),
                    ),
                ],
            ),
            Row(
                "Where does it stop?",
                [
                    lines(
                        "Into the collector",
                        "Items a second that the collector took, by signal.",
                        passed("receiver_accepted", "", "{}"),
                        "ops",
                        system,
                    ),
                    lines(
                        "Out of the collector",
                        "Items a second that reached a store, by signal. Lower than the way in: something waits or is lost.",
                        passed("exporter_sent", EXPORTER, "{}"),
                        "ops",
                        system,
                    ),
                    lines(
                        "Waiting",
                        "Items in each exporter's queue. It grows while a store is away, and falls when it is back.",
                        [
                            promql(
                                f"max by (exporter) (otelcol_exporter_queue_size{{{EXPORTER}}})",
                                "{{exporter}}",
                            )
                        ],
                        "short",
                        queue,
                    ),
                ],
            ),
            Row(
                "Do the stores keep up?",
                [
                    lines(
                        "Records stored",
                        "Log records a second that the log store took, by its own count.",
                        [
                            promql(
                                "sum(rate(tracewright_store_logs_accepted_total[$__rate_interval]))"
                                ' or sum(rate(quickwit_indexing_processed_docs_total{docs_processed_status="valid"}[$__rate_interval]))',
                                "records",
                            )
                        ],
                        "ops",
                        to_dashboard("Logs and traces", "logs-traces"),
                    ),
                    lines(
                        "Spans stored",
                        "Spans a second that the trace store took, by its own count.",
                        [
                            promql(
                                "sum(rate(tracewright_store_traces_stored_spans[$__rate_interval]))"
                                " or sum(rate(tempo_distributor_spans_received_total[$__rate_interval]))",
                                "spans",
                            )
                        ],
                        "ops",
                        to_dashboard("Logs and traces", "logs-traces"),
                    ),
                    lines(
                        "Prometheus",
                        "Series in memory: label values that never repeat make it grow without end.",
                        [promql("sum(prometheus_tsdb_head_series)", "series")],
                        "short",
                        to_metrics(
                            "Names with most series", 'topk(10, count by (__name__) ({__name__=~".+"}))'
                        ),
                    ),
                    lines(
                        "Memory of the collector",
                        "Resident memory; at 256 MiB of heap it refuses instead of dying.",
                        [promql("sum(otelcol_process_memory_rss_bytes)", "resident")],
                        "bytes",
                        system,
                    ),
                ],
            ),
        ],
    )
