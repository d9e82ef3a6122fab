from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tracewright.contracts.capture import RunCapture
from tracewright.contracts.findings import Verdict, verdict_of
from tracewright.contracts.load import parse_contract
from tracewright.contracts.model import Contract
from tracewright.signals import Sample
from tracewright.tests.contracts.checks.twins import judged
from tracewright.tests.drawing import START_NS, draw

REQUEST = "+http.request.method=POST +http.route=/executions +http.response.status_code=200 +tenant.id=acme"
RUN = f"""
py server POST /executions      0..100 ; {REQUEST}
  py client chat sim-large     10..20 ; +gen_ai.request.model=sim-large +gen_ai.usage.input_tokens=30
  py client chat sim-large     20..30 ; +gen_ai.request.model=sim-large +gen_ai.usage.input_tokens=12
"""
TOKENS = Sample(
    "llm_tokens_total", {"model": "sim-large", "direction": "input", "job": "tracewright/py"}, 100
)
REQUESTS = Sample(
    "http_server_request_duration_seconds_count",
    {
        "http_request_method": "POST",
        "http_route": "/executions",
        "http_response_status_code": "200",
        "tenant_id": "acme",
        "job": "tracewright/py",
    },
    1,
)
OTHERS = replace(REQUESTS, labels={**REQUESTS.labels, "job": "tracewright/go"}, value=9)


@pytest.fixture
def counting() -> Contract:
    return parse_contract(
        """
journey: drawn
http: {path: /executions}
spans:
  root: {service: py, name: POST /executions, kind: server}
  llm: {service: py, name: chat sim-large, kind: client, parent: root, count: 2}
metrics:
  - name: llm_tokens_total
    span: llm
    sum: gen_ai.usage.input_tokens
    labels: {model: gen_ai.request.model, direction: =input}
request_metrics: [py]
""",
        Path("drawn.yaml"),
    )


def counted(before: list[Sample], after: list[Sample]) -> RunCapture:
    return replace(draw(RUN), metrics_before=tuple(before), metrics_after=tuple(after))


def moved(sample: Sample, by: float) -> Sample:
    return replace(sample, value=sample.value + by)


def test_good_capture_passes_also_for_a_series_that_is_new(counting: Contract) -> None:
    run = counted([TOKENS], [moved(TOKENS, 42), REQUESTS, OTHERS])
    assert judged("red_equals_spans", run, counting) == []


def test_double_count_is_reported_with_both_numbers(counting: Contract) -> None:
    (finding,) = judged("red_equals_spans", counted([TOKENS], [moved(TOKENS, 84), REQUESTS]), counting)
    assert finding.subject == 'py: llm_tokens_total{direction="input", model="sim-large"}'
    assert (finding.expected, finding.seen) == ("42 (from spans; declared at drawn.yaml:8)", "84")


def test_count_in_two_services_is_reported(counting: Contract) -> None:
    again = Sample("llm_tokens_total", {**TOKENS.labels, "job": "tracewright/go"}, 42)
    run = counted([TOKENS], [moved(TOKENS, 42), again, REQUESTS])
    assert [f.seen for f in judged("red_equals_spans", run, counting)] == ["84"]


def test_counter_that_did_not_move_is_reported(counting: Contract) -> None:
    (finding,) = judged("red_equals_spans", counted([TOKENS], [TOKENS, REQUESTS]), counting)
    assert finding.seen == "0"


def test_count_under_another_label_is_reported_on_both_sides(counting: Contract) -> None:
    wrong = replace(REQUESTS, labels={**REQUESTS.labels, "http_route": "/executions/{id}"})
    findings = judged("red_equals_spans", counted([TOKENS], [moved(TOKENS, 42), wrong]), counting)
    assert [(f.expected.split(" ")[0], f.seen) for f in findings] == [("1", "0"), ("0", "1")]


def test_counter_that_went_down_is_inconclusive_and_no_more(counting: Contract) -> None:
    run = counted([moved(REQUESTS, 5), TOKENS], [REQUESTS, moved(TOKENS, 42)])
    (finding,) = judged("red_equals_spans", run, counting)
    assert "went down by 5" in finding.detail
    assert finding.kind is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("before", [0, 1, 7])
def test_process_that_was_restarted_before_the_run_counts_from_zero(
    before: float, counting: Contract
) -> None:
    """Its series goes on under the same name, with the dead process's last value as the baseline."""
    dead = replace(REQUESTS, value=before, time_s=100.0)
    alive = replace(REQUESTS, value=1, time_s=130.0)
    run = counted([TOKENS, dead], [moved(TOKENS, 42), alive])
    assert judged("red_equals_spans", replace(run, counting_since_s={"py": 120.0}), counting) == []


def test_process_that_has_died_keeps_its_last_value(counting: Contract) -> None:
    """Nobody has sampled the series since: it did not move, whatever process came after it."""
    dead = replace(REQUESTS, value=7, time_s=100.0)
    run = counted([TOKENS, dead], [moved(TOKENS, 42), dead])
    (finding,) = judged("red_equals_spans", replace(run, counting_since_s={"py": 120.0}), counting)
    assert finding.seen == "0"


@pytest.mark.parametrize(
    ("began_ms", "wanted"),
    [
        # Its counter had moved before the baseline; its export was tried again until after it.
        (-9000, None),
        # It ended after the newest sample of the baseline: whoever counts it does so during the run.
        (-900, "2"),
    ],
)
def test_span_of_earlier_traffic_is_asked_for_only_if_the_baseline_cannot_have_it(
    began_ms: int, wanted: str | None, counting: Contract
) -> None:
    sampled_s = START_NS / 1e9 - 1
    before = (replace(TOKENS, time_s=sampled_s), replace(REQUESTS, value=4, time_s=sampled_s))
    earlier = f"---\npy server POST /executions  {began_ms}..{began_ms + 100} ; {REQUEST}"
    run = replace(
        draw(RUN + earlier),
        metrics_before=before,
        metrics_after=(moved(TOKENS, 42), replace(REQUESTS, value=5)),
    )
    findings = judged("red_equals_spans", run, counting)
    assert [(f.expected.split(" ")[0], f.seen) for f in findings] == ([(wanted, "1")] if wanted else [])


def test_surplus_is_inconclusive_when_others_may_have_made_requests(counting: Contract) -> None:
    run = replace(counted([TOKENS], [moved(TOKENS, 42), moved(REQUESTS, 1)]), whole=False)
    assert verdict_of(judged("red_equals_spans", run, counting)) is Verdict.INCONCLUSIVE


def test_stack_without_prometheus_is_not_judged(counting: Contract) -> None:
    assert verdict_of(judged("red_equals_spans", draw(RUN), counting)) is Verdict.NOT_JUDGED
