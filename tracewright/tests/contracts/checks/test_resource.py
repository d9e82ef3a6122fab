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
    for seconds_after_start, expected in ((-1, 0), (1, 1)):
        time_s = probe.started_ns / 1e9 + seconds_after_start
        other = replace(sample, labels=labels, time_s=time_s)
        findings = judged("resource", replace(run, metrics_after=(sample, other)), counted)
        assert len(findings) == expected, findings
