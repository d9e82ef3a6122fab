"""Findings as text for people.

What, expected, seen, usual cause, and the trace as a tree with the place marked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

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
    lines.extend(f"  settling: {waited}" for waited in capture.run.waited if not waited.met)
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


@dataclass(frozen=True, slots=True)
class TreeRow:
    """One row of a trace's tree: a span, or (`span` is `None`) a note on what follows it.

    `broken` notes say what ought not to be.
    """

    depth: int
    span: Span | None
    note: str = ""
    broken: bool = False


def tree_rows(capture: Capture) -> list[TreeRow]:
    """The spans of the trace and its linked traces as trees, in the order of their starts.

    A lost branch stands under a note with its missing parent's id, a cycle under one that says so.
    """
    by_id = capture.by_id()
    children: dict[tuple[str, str], list[Span]] = defaultdict(list)
    tops: list[Span] = []
    for span in sorted(capture.all_spans, key=lambda s: (s.trace_id != capture.probe.trace_id, s.start_ns)):
        parent = (span.trace_id, span.parent_span_id)
        if span.parent_span_id and parent in by_id and parent != span.key:
            children[parent].append(span)
        else:
            tops.append(span)
    rows: list[TreeRow] = []
    drawn: set[int] = set()

    def draw(top: Span, depth: int) -> None:
        waiting = [(top, depth)]
        while waiting:
            span, depth = waiting.pop()
            if id(span) in drawn:
                continue
            drawn.add(id(span))
            rows.append(TreeRow(depth, span))
            waiting.extend((child, depth + 1) for child in reversed(children[span.key]))

    for top in tops:
        if top.parent_span_id and not capture.is_remote_parent(top):
            rows.append(TreeRow(0, None, f"✗ missing parent {top.parent_span_id}", broken=True))
            draw(top, 1)
        elif top.trace_id != capture.probe.trace_id:
            targets = ", ".join(link.span_id for link in top.links) or "nothing"
            rows.append(TreeRow(0, None, f"⇢ trace {top.trace_id}, linked to {targets}"))
            draw(top, 1)
        else:
            draw(top, 0)
    # What hangs in a cycle is reached from no top.
    for span in capture.all_spans:
        if id(span) not in drawn:
            rows.append(TreeRow(0, None, "↻ in a cycle", broken=True))
            draw(span, 1)
    return rows


def render_tree(capture: Capture, marked: Iterable[tuple[str, str]] = ()) -> list[str]:
    """The tree as text, with the marked spans pointed at."""
    marks = set(marked)
    return [
        f"    {row.note}" if row.span is None else _line(row.span, row.depth, row.span.key in marks)
        for row in tree_rows(capture)
    ]


def _line(span: Span, depth: int, marked: bool) -> str:
    error = f"  ERROR {span.attributes.get('error.type', '')!s}" if span.status is StatusCode.ERROR else ""
    exceptions = "  ⚡" * len(span.exceptions)
    duration_ms = (span.end_ns - span.start_ns) / 1e6
    text = f"{span.service} {span.name} [{span.kind}] {duration_ms:.1f} ms  {span.span_id}{error}{exceptions}"
    return f"  {MARK if marked else ' '} {'  ' * depth}{text}"
