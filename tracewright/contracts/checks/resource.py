"""The same resource identity is on all three signals.

`service.name`, `service.namespace`, `service.version`, `service.instance.id` and
`deployment.environment.name` are what joins a span to the logs and metrics of its process. A signal that
lacks one, or says something else, joins to nothing. Several instances of a service are no fault, as long as
each says the same of itself on all signals.

Rule: the semantic conventions for `service.*` and `deployment.environment.name`, which an SDK sets once for
all signals.

Usual cause: a provider that is set up with a resource of its own, `OTEL_RESOURCE_ATTRIBUTES` that is not
read, or two processes under one `service.instance.id`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from tracewright.contracts.capture import Capture
from tracewright.contracts.checks.red_equals_spans import REQUEST_COUNT, service_of
from tracewright.contracts.findings import Finding
from tracewright.contracts.model import Contract

IDENTITY = (
    "service.name",
    "service.namespace",
    "service.version",
    "service.instance.id",
    "deployment.environment.name",
)
INSTANCE = IDENTITY.index("service.instance.id")
Identity = tuple[str, ...]


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All resources that lack a part of the identity, and all services that give more than one."""
    seen: dict[str, dict[str, set[Identity]]] = defaultdict(lambda: defaultdict(set))
    for signal, service, identity in _identities(capture, contract):
        seen[service][signal].add(identity)
    findings = []
    for service, signals in sorted(seen.items()):
        for signal, identities in signals.items():
            for identity in identities:
                missing = [key for key, value in zip(IDENTITY, identity, strict=True) if not value]
                if missing:
                    findings.append(
                        Finding(
                            f"{signal} of {service or '(no service)'}",
                            f"lack {', '.join(missing)}",
                            expected=", ".join(IDENTITY),
                            seen=", ".join(value for value in identity if value) or "nothing of it",
                            cause="OTEL_RESOURCE_ATTRIBUTES is not read, or a detector overwrites it",
                        )
                    )
        if _disagree({name: {i for i in identities if all(i)} for name, identities in signals.items()}):
            findings.append(
                Finding(
                    service,
                    "does not say the same of itself on all signals",
                    expected="one identity",
                    seen=" / ".join(
                        f"{signal}: {', '.join(identity)}"
                        for signal, identities in signals.items()
                        for identity in sorted(identities)
                    ),
                    cause="one provider is set up with another resource, or two instances share a name",
                )
            )
    return findings


def _disagree(signals: Mapping[str, set[Identity]]) -> bool:
    """Whether the signals of one service cannot be joined.

    Several instances are no fault: others may have counted requests while one served the probe. But who wrote
    a log also made spans, and who made spans also counted, where the signals were seen at all.
    """
    apart = {i[:INSTANCE] + i[INSTANCE + 1 :] for identities in signals.values() for i in identities}
    spans, logs, metrics = (signals.get(name, set()) for name in ("spans", "logs", "metrics"))
    return len(apart) > 1 or bool(spans and logs - spans) or bool(metrics and (spans | logs) - metrics)


def _identities(capture: Capture, contract: Contract) -> Iterator[tuple[str, str, Identity]]:
    for span in capture.all_spans:
        yield "spans", span.service, _identity(span.resource.attributes)
    for log in capture.logs:
        yield "logs", log.service, _identity(log.resource.attributes)
    for sample in capture.run.metrics_after or ():
        service = service_of(sample.labels)
        if 0 < sample.time_s < capture.probe.started_ns / 1e9:
            continue  # last told before the probe: by a process that is gone, under its own id
        if sample.name == REQUEST_COUNT and service in contract.request_metrics:
            labels = {key: sample.labels.get(key.replace(".", "_"), "") for key in IDENTITY}
            yield "metrics", service, _identity(labels)


def _identity(attributes: Mapping[str, object]) -> Identity:
    return tuple(str(attributes.get(key, "")) for key in IDENTITY)
