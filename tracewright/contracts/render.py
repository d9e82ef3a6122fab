"""Findings as text for people.

What, expected, seen, usual cause, and the trace as a tree with the place marked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from tracewright.contracts.capture import Capture
from tracewright.contracts.findings import Finding
from tracewright.contracts.judge import CheckResult
from tracewright.signals import Span, StatusCode

MARK = "►"
MAX_FINDINGS = 20


def render_result(result: CheckResult, capture: Capture) -> str:
    """A failing result: its findings, then the tree (once) with all their spans marked."""
    lines = [f"{result.id}: {result.verdict}   trace {result.trace_id or '(none)'}"]
    for finding in result.findings[:MAX_FINDINGS]:
        lines.extend(render_finding(finding))
    if len(result.findings) > MAX_FINDINGS:
        lines.append(f"  … and {len(result.findings) - MAX_FINDINGS} more")
    # What several findings show is shown once, below them.
    for table in dict.fromkeys(finding.evidence for finding in result.findings if finding.evidence):
        lines.extend(["", *(f"  {line}" for line in table)])
    marked = {finding.span for finding in result.findings if finding.span}
    if marked:
        lines.append("")
        lines.extend(render_tree(capture, marked))
    return "\n".join(lines)


def render_finding(finding: Finding) -> list[str]:
    """One finding, a line for each thing that it says."""
    lines = [f"  • {finding.subject} {finding.detail}"]
    for name, text in (
        ("expected", finding.expected),
        ("seen", finding.seen),
        ("usual cause", finding.cause),
    ):
        if text:
            lines.append(f"      {name}: {text}")
    return lines


def render_tree(capture: Capture, marked: Iterable[tuple[str, str]] = ()) -> list[str]:
    """The spans of the trace and its linked traces as trees.

    A lost branch stands under its missing parent's id.
    """
    marks = set(marked)
    by_id = capture.by_id()
    children: dict[tuple[str, str], list[Span]] = defaultdict(list)
    tops: list[Span] = []
    for span in sorted(capture.all_spans, key=lambda s: (s.trace_id != capture.probe.trace_id, s.start_ns)):
        parent = (span.trace_id, span.parent_span_id)
        if span.parent_span_id and parent in by_id and parent != span.key:
            children[parent].append(span)
        else:
            tops.append(span)
    lines: list[str] = []
    drawn: set[int] = set()

    def draw(span: Span, depth: int) -> None:
        if id(span) in drawn:
            return
        drawn.add(id(span))
        lines.append(_line(span, depth, span.key in marks))
        for child in children[span.key]:
            draw(child, depth + 1)

    for top in tops:
        if top.parent_span_id and not capture.is_remote_parent(top):
            lines.append(f"  {' ' * 2}✗ missing parent {top.parent_span_id}")
            draw(top, 1)
        elif top.trace_id != capture.probe.trace_id:
            targets = ", ".join(link.span_id for link in top.links) or "nothing"
            lines.append(f"    ⇢ trace {top.trace_id}, linked to {targets}")
            draw(top, 1)
        else:
            draw(top, 0)
    # What hangs in a cycle is reached from no top.
    for span in capture.all_spans:
        if id(span) not in drawn:
            lines.append("    ↻ in a cycle")
            draw(span, 1)
    return lines


def _line(span: Span, depth: int, marked: bool) -> str:
    error = f"  ERROR {span.attributes.get('error.type', '')!s}" if span.status is StatusCode.ERROR else ""
    exceptions = "  ⚡" * len(span.exceptions)
    duration_ms = (span.end_ns - span.start_ns) / 1e6
    text = f"{span.service} {span.name} [{span.kind}] {duration_ms:.1f} ms  {span.span_id}{error}{exceptions}"
    return f"  {MARK if marked else ' '} {'  ' * depth}{text}"
