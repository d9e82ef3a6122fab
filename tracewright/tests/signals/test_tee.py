from __future__ import annotations

import json
from pathlib import Path

import pytest

from tracewright.signals import otlp
from tracewright.signals.tee import Tee
from tracewright.tests.drawing import draw


def test_only_what_was_appended_is_returned_and_half_a_line_is_left_for_later(tmp_path: Path) -> None:
    run = draw("api server GET /x 0..9\napi server GET /y 1..2\n")
    lines = [json.dumps(otlp.write_spans([span])) + "\n" for span in run.spans]
    tee, file = Tee(tmp_path), tmp_path / "traces.jsonl"
    assert tee.spans() == []
    file.write_text(lines[0] + lines[1][:20], encoding="utf-8")
    assert tee.spans() == [run.spans[0]]
    assert tee.spans() == []
    file.write_text(lines[0] + lines[1], encoding="utf-8")
    assert tee.spans() == [run.spans[1]]


@pytest.mark.parametrize("left", [1, 40, -2])
def test_what_a_killed_collector_left_of_a_line_does_not_spoil_the_next_one(
    tmp_path: Path, left: int
) -> None:
    run = draw('api server GET /x 0..9\napi server GET /{"resourceSpans":[] 1..2\n')
    torn, whole = (json.dumps(otlp.write_spans([span]), separators=(",", ":")) for span in run.spans)
    (tmp_path / "traces.jsonl").write_text(f"{torn[:left]}{whole}\n", encoding="utf-8")
    assert Tee(tmp_path).spans() == [run.spans[1]]


def test_a_line_that_is_no_request_is_refused(tmp_path: Path) -> None:
    (tmp_path / "traces.jsonl").write_text('{"resourceSpans":[}\n', encoding="utf-8")
    with pytest.raises(json.JSONDecodeError):
        Tee(tmp_path).spans()


def test_skip_forgets_what_is_there(tmp_path: Path) -> None:
    run = draw("api server GET /x 0..9 ; log\n")
    (tmp_path / "logs.jsonl").write_text(json.dumps(otlp.write_logs(run.logs)) + "\n", encoding="utf-8")
    tee = Tee(tmp_path)
    tee.skip()
    assert tee.logs() == []
