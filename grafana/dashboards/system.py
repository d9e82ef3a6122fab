"""System health: the machine and the processes on it."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.dashboards.links import label, to_dashboard, to_logs, to_metrics
from grafana.dashboards.panels import Limits, Row, choice, lines, number, page
from grafana.dashboards.sources import promql, promql_now

JOB = 'job=~"$job"'
# The collector calls its own process series otherwise.
CPU = (
    f"sum by (job) (rate(process_cpu_seconds_total{{{JOB}}}[$__rate_interval])"
    f" or rate(otelcol_process_cpu_seconds_total{{{JOB}}}[$__rate_interval]))"
)
MEMORY = f"sum by (job) (process_resident_memory_bytes{{{JOB}}} or otelcol_process_memory_rss_bytes{{{JOB}}})"
BUSY = '1 - avg(rate(node_cpu_seconds_total{mode="idle"}[$__rate_interval]))'
MEMORY_USED = "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes"
DISK_USED = (
    '1 - min(node_filesystem_avail_bytes{mountpoint="/"} / node_filesystem_size_bytes{mountpoint="/"})'
)


def build() -> Dashboard:
    """The dashboard."""
    scraped = to_metrics("Was it scraped?", f'up{{job="{label("job")}"}}')
    pipeline = to_dashboard("Telemetry pipeline", "pipeline")
    fleet = to_dashboard("Fleet overview", "fleet")
    return page(
        "system",
        "System health",
        "Does the machine, or a process on it, run short of anything?",
        [choice("job", "Component", "up", "job")],
        [
            Row(
                "Does anything run short?",
                [
                    number(
                        "Processor",
                        "Share of the machine's processor time in use.",
                        promql(BUSY, "busy"),
                        "percentunit",
                        to_metrics("By mode", "sum by (mode) (rate(node_cpu_seconds_total[1m]))"),
                        limits=Limits(0.8, 0.95),
                    ),
                    number(
                        "Memory",
                        "Share of the machine's memory that no program can have any more.",
                        promql(MEMORY_USED, "used"),
                        "percentunit",
                        to_metrics("Available", "node_memory_MemAvailable_bytes"),
                        limits=Limits(0.85, 0.95),
                    ),
                    number(
                        "Disk",
                        "Share of the root file system in use. Queues and stores stop taking data when it is full.",
                        promql(DISK_USED, "used"),
                        "percentunit",
                        pipeline,
                        limits=Limits(0.85, 0.95),
                    ),
                    number(
                        "Load for each core",
                        "Processes that want to run, for each core: above 1 they wait for each other.",
                        promql(
                            'node_load1 / on (instance) count by (instance) (node_cpu_seconds_total{mode="idle"})',
                            "load",
                        ),
                        "none",
                        fleet,
                        limits=Limits(1, 2),
                    ),
                    number(
                        "Not scraped",
                        "Components that do not answer Prometheus.",
                        promql("count(up == 0) or vector(0)", "down"),
                        "none",
                        to_metrics("Which", "up == 0 or up"),
                        limits=Limits(1, 1),
                    ),
                    number(
                        "Restarts",
                        "Starts of processes within the time range, beyond their first.",
                        promql_now(
                            "sum(changes(process_start_time_seconds[$__range])) or vector(0)", "restarts"
                        ),
                        "none",
                        to_logs("Warnings and errors", "severity_number:>=13"),
                        limits=Limits(1, 5),
                    ),
                ],
            ),
            Row(
                "Which process takes it?",
                [
                    lines(
                        "Processor by process",
                        "Cores in use: 1 is one core.",
                        [promql(CPU, "{{job}}")],
                        "none",
                        scraped,
                    ),
                    lines(
                        "Memory by process", "Resident memory.", [promql(MEMORY, "{{job}}")], "bytes", scraped
                    ),
                    lines(
                        "Open files by process",
                        "Share of the allowed file descriptors in use; at 1 a process can open no connection.",
                        [
                            promql(
                                f"max by (job) (process_open_fds{{{JOB}}} / process_max_fds{{{JOB}}})",
                                "{{job}}",
                            )
                        ],
                        "percentunit",
                        scraped,
                    ),
                ],
            ),
            Row(
                "Do the runtimes keep up?",
                [
                    lines(
                        "Event loop of the frontend",
                        "How late timers fire: the page's server is busy with something else for so long.",
                        [
                            promql("max by (job) (nodejs_eventloop_lag_p99_seconds)", "{{job}} p99"),
                            promql("max by (job) (nodejs_eventloop_lag_mean_seconds)", "{{job}} mean"),
                        ],
                        "s",
                        to_dashboard("Requests", "api", service="frontend"),
                    ),
                    lines(
                        "Concurrency",
                        "Goroutines and Tokio tasks alive. A count that only rises is a leak.",
                        [
                            promql(f"sum by (job) (go_goroutines{{{JOB}}})", "{{job}} goroutines"),
                            promql(f"sum by (job) (tokio_alive_tasks{{{JOB}}})", "{{job}} tasks"),
                        ],
                        "short",
                        scraped,
                    ),
                    lines(
                        "Waiting for processor or disk",
                        "Share of time in which some process waited (Linux pressure stall information).",
                        [
                            promql(
                                "rate(node_pressure_cpu_waiting_seconds_total[$__rate_interval])", "processor"
                            ),
                            promql("rate(node_pressure_io_waiting_seconds_total[$__rate_interval])", "disk"),
                        ],
                        "percentunit",
                        fleet,
                    ),
                ],
            ),
        ],
    )
