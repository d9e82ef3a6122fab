from __future__ import annotations

from dataclasses import replace

from tracewright.contracts.capture import RunCapture
from tracewright.contracts.model import Contract
from tracewright.signals import Resource, Sample
from tracewright.tests.contracts.checks.twins import judged, said
from tracewright.tests.drawing import draw


def identified(good: str) -> RunCapture:
    """Everything says who it is, and go-service's request metric says it too."""
    run = draw(good)

    def of(resource: Resource) -> Resource:
        return Resource(
            {
                **resource.attributes,
                "service.namespace": "fleet",
                "service.version": "1",
                "service.instance.id": f"{resource.service}-1",
                "deployment.environment.name": "test",
            }
        )

    labels = {
        "service_name": "go-service",
        "service_namespace": "fleet",
        "service_version": "1",
        "service_instance_id": "go-service-1",
        "deployment_environment_name": "test",
    }
    return replace(
        run,
        spans=tuple(replace(span, resource=of(span.resource)) for span in run.spans),
        logs=tuple(replace(log, resource=of(log.resource)) for log in run.logs),
        metrics_after=(Sample("http_server_request_duration_seconds_count", labels, 1),),
    )


def test_good_capture_passes(good: str, contract: Contract) -> None:
    counted = contract.model_copy(update={"request_metrics": ["go-service"]})
    assert judged("resource", identified(good), counted) == []


def test_signal_without_its_instance_is_reported(good: str, contract: Contract) -> None:
    run = identified(good)
    poor = replace(run.logs[0], resource=Resource({"service.name": "frontend"}))
    findings = judged("resource", replace(run, logs=(poor, *run.logs[1:])), contract)
    (text,) = said(findings)
    assert text.startswith("logs of frontend lack service.namespace, service.version, service.instance.id")


def test_metric_of_another_instance_than_the_spans_is_reported(good: str, contract: Contract) -> None:
    run = identified(good)
    assert run.metrics_after is not None
    sample = run.metrics_after[0]
    other = replace(sample, labels={**sample.labels, "service_instance_id": "pod-7"})
    counted = contract.model_copy(update={"request_metrics": ["go-service"]})
    (finding,) = judged("resource", replace(run, metrics_after=(other,)), counted)
    assert finding.subject == "go-service"
    assert "pod-7" in finding.seen


def test_metric_of_a_process_that_ended_before_the_probe_is_not_held_against_its_successor(
    good: str, contract: Contract
) -> None:
    run = identified(good)
    assert run.metrics_after is not None
    (probe,) = run.probes
    sample = run.metrics_after[0]
    labels = {**sample.labels, "service_instance_id": "go-service-0"}
    counted = contract.model_copy(update={"request_metrics": ["go-service"]})
    old = replace(sample, labels={**labels, "service_version": "0"}, time_s=probe.started_ns / 1e9 - 1)
    assert judged("resource", replace(run, metrics_after=(sample, old)), counted) == []
    living = replace(old, time_s=probe.started_ns / 1e9 + 1)
    assert len(judged("resource", replace(run, metrics_after=(sample, living)), counted)) == 1


def test_second_instance_that_served_others_is_no_finding(good: str, contract: Contract) -> None:
    run = identified(good)
    assert run.metrics_after is not None
    (sample,) = run.metrics_after
    second = replace(sample, labels={**sample.labels, "service_instance_id": "go-service-2"})
    counted = contract.model_copy(update={"request_metrics": ["go-service"]})
    assert judged("resource", replace(run, metrics_after=(sample, second)), counted) == []


def test_logs_of_an_instance_that_made_no_span_are_reported(good: str, contract: Contract) -> None:
    run = identified(good)
    other = Resource({**run.logs[0].resource.attributes, "service.instance.id": "uuid-of-the-logger"})
    twin = replace(run, logs=(replace(run.logs[0], resource=other), *run.logs[1:]))
    (finding,) = judged("resource", twin, contract)
    assert "uuid-of-the-logger" in finding.seen
