"""Ids are whole and unique, there is no cycle, and every span ends after it starts.

The W3C trace context wants 16 and 8 bytes that are not all zero. A store that keys spans by id keeps one of
two equal ones and nobody learns of the other; a cycle takes whole branches out of every tree view.

Rule: W3C Trace Context (16 and 8 bytes, not all zero) and the OTLP data model.

Usual cause: ids that are made by hand or copied, an export that was retried after it had arrived, two
processors on one exporter, or times of two different clocks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from tracewright.contracts.capture import Capture
from tracewright.contracts.findings import Finding
from tracewright.contracts.model import Contract
from tracewright.signals import Span

_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_SPAN_ID = re.compile(r"[0-9a-f]{16}")


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All broken ids, duplicates, cycles and impossible times."""
    by_id = capture.by_id()
    findings = [finding for span in capture.all_spans for finding in _of_span(span, by_id)]
    for key, times in Counter(span.key for span in capture.all_spans).items():
        if times > 1:
            findings.append(
                Finding(
                    str(by_id[key]),
                    "has the same id as another span of its trace",
                    expected="1 span with this id",
                    seen=f"{times}",
                    cause="exported by two processors, or an export that was retried after it had arrived",
                    span=key,
                )
            )
    return findings


def _of_span(span: Span, by_id: Mapping[tuple[str, str], Span]) -> Iterator[Finding]:
    if not _TRACE_ID.fullmatch(span.trace_id) or not _SPAN_ID.fullmatch(span.span_id):
        yield Finding(
            str(span),
            "has a broken id",
            expected="32 and 16 hex digits, not all zero",
            seen=f"trace id {span.trace_id!r}, span id {span.span_id!r}",
            span=span.key,
        )
    if span.parent_span_id and not _SPAN_ID.fullmatch(span.parent_span_id):
        yield Finding(
            str(span),
            "has a broken parent id",
            expected="16 hex digits",
            seen=repr(span.parent_span_id),
            span=span.key,
        )
    if not span.name:
        yield Finding(str(span), "has no name", expected="a name", seen="an empty text", span=span.key)
    if not span.start_ns or span.end_ns < span.start_ns:
        yield Finding(
            str(span),
            "ends before it starts",
            expected="start ≤ end, both set",
            seen=f"start {span.start_ns}, end {span.end_ns}",
            cause="a duration from another clock than the start, or a span that was never ended",
            span=span.key,
        )
    if _in_cycle(span, by_id):
        yield Finding(
            str(span),
            "is its own ancestor",
            expected="a tree",
            seen=f"a way from {span.span_id} up to itself",
            cause="ids that were re-used",
            span=span.key,
        )


def _in_cycle(span: Span, by_id: Mapping[tuple[str, str], Span]) -> bool:
    seen: set[tuple[str, str]] = set()
    above = by_id.get((span.trace_id, span.parent_span_id))
    while above is not None and above.key not in seen:
        if above.key == span.key:
            return True
        seen.add(above.key)
        above = by_id.get((above.trace_id, above.parent_span_id))
    return False
