from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tracewright.contracts import archive
from tracewright.contracts.archive import CaptureError
from tracewright.signals import Sample
from tracewright.signals.loss import LossReading
from tracewright.tests.drawing import draw


def test_capture_survives_saving_and_loading(good: str, tmp_path: Path) -> None:
    run = replace(
        draw(good),
        late=frozenset({("a" * 32, "b" * 16)}),
        metrics_before=(),
        metrics_after=(Sample("x_total", {"a": "b"}, 1.5),),
        losses_before=(LossReading("collector", (Sample("refused", {}, 0),), {"sent": None}),),
        losses_after=(LossReading("collector", error="gone"),),
        exemplars={"x_bucket": frozenset({"c" * 32})},
        errors={"tempo": "refused"},
    )
    archive.save(run, tmp_path / "kept")
    assert archive.load(tmp_path / "kept") == run


def test_what_the_stack_had_not_stays_unknown(good: str, tmp_path: Path) -> None:
    run = replace(draw(good), stored_spans=None, stored_logs=None)
    archive.save(draw(good), tmp_path)
    archive.save(run, tmp_path)
    assert archive.load(tmp_path) == run


def test_folder_that_is_no_capture_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"run\.json is missing"):
        archive.load(tmp_path)
    (tmp_path / "run.json").write_text("{}", encoding="utf-8")
    with pytest.raises(CaptureError, match="is no capture of format 1"):
        archive.load(tmp_path)
