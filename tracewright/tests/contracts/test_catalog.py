"""The catalog's file, and what is noted of metrics to compare it with."""

from __future__ import annotations

from pathlib import Path

from tracewright.contracts.catalog import MetricShape, Series, learn, load_catalog, write
from tracewright.signals import MetricPoint, Resource


def point(value: float, instrument: str = "sum", scope: str = "app", **labels: str) -> MetricPoint:
    return MetricPoint(
        "runs",
        "{run}",
        instrument,
        labels,
        value,
        monotonic=instrument == "sum",
        resource=Resource({"service.name": "api"}),
        scope=scope,
    )


def test_series_tells_what_moved_since_the_beginning() -> None:
    series = Series()
    series.take([point(1, a="x"), point(5, b="x")])
    series.begin()
    series.take([point(1, a="x"), point(5, b="x"), point(6, b="x"), point(1, c="x")])
    assert {shape.labels: shape.moved for shape in series.shapes()} == {
        ("a",): False,
        ("b",): True,
        ("c",): True,
    }


def test_gauge_that_stands_still_is_alive() -> None:
    series = Series()
    series.take([point(1, "gauge")])
    series.begin()
    series.take([point(1, "gauge")])
    assert [shape.moved for shape in series.shapes()] == [True]


def test_what_was_not_exported_again_is_not_seen() -> None:
    series = Series()
    series.take([point(1)])
    series.begin()
    assert series.shapes() == ()


def test_what_the_collector_counts_is_the_collectors() -> None:
    series = Series()
    series.take([point(1, scope="github.com/x/spanmetricsconnector")])
    assert [shape.service for shape in series.shapes()] == ["otel-collector"]


def test_learned_catalog_is_read_back_and_keeps_what_was_written_by_hand(tmp_path: Path) -> None:
    shapes = [
        MetricShape("api", "runs", "counter", "{run}", ("method", "tenant.id")),
        MetricShape("api", "runs", "counter", "{run}", ("method",)),
        MetricShape("api", "size", "histogram", "", ()),
    ]
    path = tmp_path / "metrics.yaml"
    path.write_text(write(learn(shapes)), encoding="utf-8")
    first = load_catalog(path)
    runs = first.services["api"]["runs"]
    assert (runs.labels, runs.sometimes, runs.when) == (["method"], ["tenant.id"], None)
    assert first.place("api", "size") == f"{path}:{path.read_text().splitlines().index('  size:') + 1}"

    path.write_text(
        path.read_text().replace("sometimes: [tenant.id]", "sometimes: [error.type]\n    when: POST /runs")
    )
    again = learn(shapes, load_catalog(path))["api"]["runs"]
    assert (again.sometimes, again.when) == (["error.type", "tenant.id"], "POST /runs")
