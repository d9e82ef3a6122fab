from __future__ import annotations

import pytest

from tracewright.signals import Sample
from tracewright.signals.prometheus import read_exposition

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
