from __future__ import annotations

import math
from collections.abc import Mapping
from urllib.parse import parse_qs

import httpx
import pytest

from tracewright.signals import Sample
from tracewright.signals.prometheus import Prometheus, read_exposition

TEXT = """
# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{path="/a \\"b\\"",le="+Inf"} 3 # {trace_id="abc"} 0.5
up 1 1700000000000
up_since NaN
"""


def test_samples_are_read_with_escapes_exemplars_and_times() -> None:
    first, second, third = read_exposition(TEXT)
    assert first == Sample("requests_total", {"path": '/a "b"', "le": "+Inf"}, 3.0)
    assert second == Sample("up", {}, 1.0)
    assert third.value != third.value


def test_line_that_is_no_sample_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a Prometheus sample: '<html>'"):
        list(read_exposition("<html>"))


def answering(answers: Mapping[str, list[tuple[dict[str, str], float]]]) -> Prometheus:
    """A Prometheus that knows the instant vectors of these queries."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked = parse_qs(request.content.decode())["query"][0]
        result = [{"metric": labels, "value": [0, str(value)]} for labels, value in answers.get(asked, ())]
        return httpx.Response(200, json={"data": {"result": result}})

    return Prometheus("http://prometheus", transport=httpx.MockTransport(answer))


def test_series_that_is_no_longer_written_with_the_others_is_not_living() -> None:
    """Tempo writes by itself: nothing marks the series that it had before it was restarted as gone."""
    prometheus = answering(
        {
            '{__name__=~"calls"} offset -1500ms': [
                ({"__name__": "calls", "server": name}, 7.0) for name in ("old", "first", "now")
            ],
            "timestamp(calls offset -1500ms)": [
                ({"server": "old"}, 95.0),
                ({"server": "first"}, 101.0),
                ({"server": "now"}, 100.0),
            ],
        }
    )
    samples, newest_s = prometheus.living({"calls"})
    assert ([sample.labels["server"] for sample in samples], newest_s) == (["first", "now"], 101.0)


@pytest.mark.parametrize(("up", "since_s"), [([({}, 42.0)], 42.0), ([], math.inf)])
def test_without_a_series_it_is_told_since_when_everything_was_scraped(
    up: list[tuple[dict[str, str], float]], since_s: float
) -> None:
    assert answering({"min(timestamp(up))": up}).living({"calls"}) == ([], since_s)
