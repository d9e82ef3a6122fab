from __future__ import annotations

from dataclasses import replace

from tracewright.contracts.capture import RunCapture
from tracewright.contracts.model import Contract
from tracewright.signals import LogRecord, Resource
from tracewright.tests.contracts.checks.twins import judged
from tracewright.tests.drawing import START_NS, draw


def with_log(run: RunCapture, log: LogRecord) -> RunCapture:
    return replace(run, logs=(*run.logs, log))


def test_good_capture_passes(good: str, contract: Contract) -> None:
    assert judged("log_to_trace", draw(good), contract) == []


def test_log_of_an_unknown_span_is_reported(good: str, contract: Contract) -> None:
    run = draw(good)
    (finding,) = judged("log_to_trace", with_log(run, replace(run.logs[0], span_id="f" * 16)), contract)
    assert "names span ffffffffffffffff" in finding.detail


def test_log_of_another_services_span_is_reported(good: str, contract: Contract) -> None:
    run = draw(good)
    twin = with_log(run, replace(run.logs[0], span_id=run.logs[1].span_id))
    (finding,) = judged("log_to_trace", twin, contract)
    assert finding.detail == "names a span of go-service"


def test_log_outside_of_its_span_is_reported_with_the_distance(good: str, contract: Contract) -> None:
    run = draw(good)
    twin = with_log(run, replace(run.logs[0], time_ns=START_NS + 150_000_000))
    (finding,) = judged("log_to_trace", twin, contract)
    assert finding.detail == "lies 50.0 ms after its span"


def test_log_without_context_is_reported(good: str, contract: Contract) -> None:
    run = draw(good)
    twin = with_log(run, replace(run.logs[0], trace_id="", span_id=""))
    (finding,) = judged("log_to_trace", twin, contract)
    assert finding.detail == "was written while the probe was under way and names no trace"


def test_log_without_context_right_after_the_answer_is_reported(good: str, contract: Contract) -> None:
    run = draw(good)
    after = run.probes[0].ended_ns + 5_000_000
    twin = with_log(run, replace(run.logs[0], trace_id="", span_id="", time_ns=after))
    (finding,) = judged("log_to_trace", twin, contract)
    assert finding.detail == "was written while the probe was under way and names no trace"


def test_record_that_comes_twice_is_reported_unless_its_clock_is_coarse(
    good: str, contract: Contract
) -> None:
    run = draw(good)
    coarse = replace(run.logs[0], time_ns=START_NS + 50_000_000)
    assert judged("log_to_trace", with_log(with_log(run, coarse), coarse), contract) == []
    fine = replace(run.logs[0], time_ns=START_NS + 50_000_123)
    (finding,) = judged("log_to_trace", with_log(with_log(run, fine), fine), contract)
    assert finding.detail.startswith("came 2 times with the time ")


def test_log_without_trace_that_carries_the_test_id_is_reported(good: str, contract: Contract) -> None:
    run = draw(good)
    log = LogRecord(
        START_NS + 10**10, "later", attributes={"test.id": "test-1"}, resource=run.logs[0].resource
    )
    (finding,) = judged("log_to_trace", with_log(run, log), contract)
    assert finding.detail == "names no trace"


def test_log_without_trace_of_a_bystander_or_a_declared_message_is_no_finding(
    good: str, contract: Contract
) -> None:
    run = draw(good)
    bystander = LogRecord(START_NS + 1, "tick", resource=Resource({"service.name": "cron"}))
    declared = LogRecord(START_NS + 1, "worker woke up", resource=run.logs[0].resource)
    tolerant = contract.model_copy(update={"untraced_logs": ["/worker .*/"]})
    assert judged("log_to_trace", with_log(with_log(run, bystander), declared), tolerant) == []


def test_record_may_come_after_a_span_that_is_declared_asynchronous(good: str, contract: Contract) -> None:
    run = draw(good)
    twin = with_log(run, replace(run.logs[0], time_ns=START_NS + 150_000_000))
    spans = {**contract.spans, "front": contract.spans["front"].model_copy(update={"asynchronous": True})}
    lasting = contract.model_copy(update={"spans": spans})
    assert judged("log_to_trace", twin, lasting) == []
    early = with_log(run, replace(run.logs[0], time_ns=START_NS - 50_000_000))
    assert [f.detail for f in judged("log_to_trace", early, lasting)] == ["lies 50.0 ms before its span"]
