"""`tracewright otlp`: as a process of its own, and what it prints of what arrives."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from tracewright.cli import app
from tracewright.commands.otlp import TRACES_KEPT, Traces
from tracewright.signals import otlp
from tracewright.tests.drawing import draw

TREE = """
shop server POST /orders       0..100 ; log
  shop client POST            10..90
    stock server POST /take   20..80  ; error=500 parent=lost
"""


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_trace_is_printed_once_when_it_has_come_to_rest_and_again_when_it_grows() -> None:
    clock, run = Clock(), draw(TREE)
    traces = Traces(clock)
    traces.take("traces", otlp.write_spans(run.spans[:2]))
    clock.now_s = 0.9
    assert traces.at_rest(1.0) == []
    clock.now_s = 1.0
    ((heading, *tree),) = traces.at_rest(1.0)
    assert heading == f"trace {run.spans[0].trace_id}  2 spans of 1 services, 0 logs, 100.0 ms"
    assert len(tree) == 3
    assert traces.at_rest(1.0) == []
    traces.take("traces", otlp.write_spans(run.spans[2:]))
    traces.take("logs", otlp.write_logs(run.logs))
    clock.now_s = 2.0
    ((heading, *tree),) = traces.at_rest(1.0)
    assert "3 spans of 2 services, 1 logs" in heading
    assert any("missing parent" in line for line in tree)


def test_logs_and_metrics_alone_print_nothing() -> None:
    traces = Traces(Clock())
    traces.take("logs", otlp.write_logs(draw(TREE).logs))
    traces.take("metrics", {"resourceMetrics": []})
    assert traces.at_rest(0.0) == []


def test_oldest_traces_are_forgotten() -> None:
    traces = Traces(Clock())
    (span, *_) = otlp.write_spans(draw(TREE).spans)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    for number in range(TRACES_KEPT + 5):
        fresh = {**span, "traceId": f"{number + 1:032x}"}
        traces.take("traces", {"resourceSpans": [{"scopeSpans": [{"spans": [fresh]}]}]})
    printed = traces.at_rest(0.0)
    assert len(printed) == TRACES_KEPT
    assert f"{6:032x}" in printed[0][0]


def test_process_receives_prints_keeps_and_ends_by_ctrl_c(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tracewright", "otlp", "--http", ":0", "--grpc", ":0", "--quiet", "0"]
    process = subprocess.Popen(
        [*command, "--keep", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        match = re.search(r"OTLP/HTTP on (http://\S+), OTLP/gRPC on \S+; Ctrl-C ends", line)
        assert match, line
        run = draw(TREE)
        answer = httpx.post(f"{match[1]}/v1/traces", json=otlp.write_spans(run.spans), trust_env=False)
        assert answer.status_code == 200
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"trace {run.spans[0].trace_id}  3 spans of 2 services")
        process.send_signal(signal.SIGINT)
        # Not communicate(): it would miss what readline() has read ahead.
        out = process.stdout.read()
        process.wait(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "✗ missing parent" in out
    assert "\x1b[" not in out
    assert len((tmp_path / "traces.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--no-http", "--no-grpc"], "--no-http and --no-grpc leave nothing to receive on"),
        (["--http", "x"], "cannot receive: 'x': expected PORT, :PORT or HOST:PORT"),
    ],
)
def test_wrong_call_exits_with_2(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["otlp", *arguments])
    assert (result.exit_code, message in result.output) == (2, True), result.output
