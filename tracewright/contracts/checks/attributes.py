"""Spans carry the attributes that the stable semantic conventions require, with the right types, and no old
names.

What is required follows from what a span is: an HTTP server or client, a database client, a GenAI
operation, a message. Dashboards, span metrics and the people who search know the stable names only; a
deprecated one beside them is a span that half of the queries miss. A contract adds what its own spans must
carry.

Rule: the stable semantic conventions for HTTP, databases, messaging and generative AI, and their lists of
deprecated names.

Usual cause: an instrumentation that follows older conventions, or `OTEL_SEMCONV_STABILITY_OPT_IN` that is not
set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tracewright.contracts.capture import Capture
from tracewright.contracts.findings import Finding
from tracewright.contracts.match import match
from tracewright.contracts.model import Contract, name_matches
from tracewright.signals import AttributeValue, Span, SpanKind

Required = Mapping[str, type]

HTTP_SERVER: Required = {
    "http.request.method": str,
    "http.route": str,
    "url.path": str,
    "url.scheme": str,
    "server.address": str,
    "http.response.status_code": int,
}
HTTP_CLIENT: Required = {
    "http.request.method": str,
    "url.full": str,
    "server.address": str,
    "server.port": int,
    "http.response.status_code": int,
}
DATABASE: Required = {
    "db.system.name": str,
    "db.operation.name": str,
    "db.collection.name": str,
    "db.query.summary": str,
    "db.query.text": str,
    "server.address": str,
}
MESSAGING: Required = {
    "messaging.system": str,
    "messaging.destination.name": str,
    "messaging.operation.name": str,
    "messaging.operation.type": str,
}
CHAT: Required = {
    "gen_ai.operation.name": str,
    "gen_ai.provider.name": str,
    "gen_ai.request.model": str,
    "gen_ai.usage.input_tokens": int,
    "gen_ai.usage.output_tokens": int,
}
DEPRECATED = {
    "http.method": "http.request.method",
    "http.status_code": "http.response.status_code",
    "http.url": "url.full",
    "http.target": "url.path",
    "http.scheme": "url.scheme",
    "http.user_agent": "user_agent.original",
    "http.client_ip": "client.address",
    "http.flavor": "network.protocol.version",
    "net.peer.name": "server.address",
    "net.peer.port": "server.port",
    "net.host.name": "server.address",
    "net.host.port": "server.port",
    "db.system": "db.system.name",
    "db.statement": "db.query.text",
    "db.operation": "db.operation.name",
    "db.name": "db.namespace",
    "db.sql.table": "db.collection.name",
    "messaging.operation": "messaging.operation.type",
    "gen_ai.system": "gen_ai.provider.name",
    "deployment.environment": "deployment.environment.name",
}


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All missing, empty, wrongly typed, deprecated and wrongly valued attributes."""
    aliases = match(capture, contract).aliases
    findings = [finding for span in capture.all_spans for finding in _of_span(span)]
    for span in capture.all_spans:
        alias = aliases.get(span.key)
        for key, pattern in contract.spans[alias].attributes.items() if alias else ():
            value = span.attributes.get(key)
            if value is None or not name_matches(pattern, _text(value)):
                findings.append(
                    Finding(
                        str(span),
                        f"{key} is not as declared",
                        expected=f"{pattern} (declared at {contract.place('spans', alias or '')})",
                        seen="none" if value is None else _text(value),
                        span=span.key,
                    )
                )
    return findings


def required_of(span: Span) -> Required:
    """What the conventions require of a span of this shape; nothing where they do not apply."""
    prefixes = {key.split(".", 1)[0] for key in span.attributes}
    if span.kind in (SpanKind.PRODUCER, SpanKind.CONSUMER):
        return MESSAGING
    if span.kind is SpanKind.SERVER:
        return HTTP_SERVER
    if span.kind is SpanKind.CLIENT and "db" in prefixes:
        return DATABASE
    if span.kind is SpanKind.CLIENT and "gen_ai" in prefixes:
        return CHAT
    if span.kind is SpanKind.CLIENT:
        return HTTP_CLIENT
    return {}


def _of_span(span: Span) -> Iterator[Finding]:
    required = required_of(span)
    # A client that got no answer has no status; error.type then says why.
    unanswered = span.kind is SpanKind.CLIENT and "error.type" in span.attributes
    for key, kind in required.items():
        value = span.attributes.get(key)
        if value is None and unanswered and key == "http.response.status_code":
            continue
        if value is None or value == "" or isinstance(value, bool) or not isinstance(value, kind):
            yield Finding(
                str(span),
                f"{key} is {'missing' if value is None else 'empty or of the wrong type'}",
                expected=f"{key}: {kind.__name__}",
                seen="none" if value is None else repr(value),
                cause="an instrumentation that follows older conventions, or none at all",
                span=span.key,
            )
    for key in (*span.attributes, *span.resource.attributes):
        if key in DEPRECATED:
            yield Finding(
                str(span),
                f"carries the deprecated {key}",
                expected=DEPRECATED[key],
                seen=key,
                cause="OTEL_SEMCONV_STABILITY_OPT_IN is not set, or the instrumentation is old",
                span=span.key,
            )


def _text(value: AttributeValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
