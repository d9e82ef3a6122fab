"""The checks, one a file. The file's name is the check's id; its docstring is the check's page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType

from tracewright.contracts.capture import Capture
from tracewright.contracts.checks import (
    async_context,
    attributes,
    baggage,
    complete,
    dashboards_live,
    edges,
    exemplars,
    latency_budget,
    log_to_trace,
    metric_catalog,
    no_clock_skew,
    no_loss,
    no_orphans,
    no_secrets,
    noise,
    red_equals_spans,
    resource,
    rum_joined,
    sampling,
    service_graph,
    single_root,
    span_names,
    status,
    trace_to_log,
    well_formed,
)
from tracewright.contracts.findings import Finding
from tracewright.contracts.model import Contract
from tracewright.signals import SpanKind

# How the last two paragraphs of a check's page begin.
RULE = "Rule: "
USUAL_CAUSE = "Usual cause: "


@dataclass(frozen=True, slots=True)
class Check:
    """One check: `run` is pure and total and returns all findings at once.

    `applies` is asked with the contract as it holds for one drive; what it refuses is not reported at all.
    """

    id: str
    run: Callable[[Capture, Contract], list[Finding]]
    page: str
    applies: Callable[[Contract], bool]
    empty_capture: bool
    needs_spans: bool

    @property
    def title(self) -> str:
        """The first paragraph of the check's page: when it holds."""
        return _line(self.page.split("\n\n", 1)[0])

    @property
    def why(self) -> str:
        """Why it matters and how it is judged: the paragraphs between the title and the rule."""
        middle = self.page.partition("\n\n")[2].partition(f"\n\n{RULE}")[0]
        return "\n\n".join(_line(paragraph) for paragraph in middle.split("\n\n") if paragraph)

    @property
    def rule(self) -> str:
        """The convention or rule that it comes from; empty when the page names none."""
        return self._paragraph(RULE)

    @property
    def usual_cause(self) -> str:
        """What usually makes it fail, in one line; empty when the page names none."""
        return self._paragraph(USUAL_CAUSE)

    def _paragraph(self, start: str) -> str:
        found = (text for text in self.page.split("\n\n") if text.startswith(start))
        return _line(next(found, "").removeprefix(start))


def _line(paragraph: str) -> str:
    return " ".join(paragraph.split())


def _always(contract: Contract) -> bool:
    return True


def _check(
    module: ModuleType,
    applies: Callable[[Contract], bool] = _always,
    *,
    empty_capture: bool = False,
    needs_spans: bool = True,
) -> Check:
    """`empty_capture` says that the check has something to say when no span was captured at all;
    `needs_spans` that it is not judged on a stack that shows none.
    """
    page = (module.__doc__ or "").strip()
    name = module.__name__.rsplit(".", 1)[-1]
    return Check(name, module.check, page, applies, empty_capture, needs_spans)


_ALL = (
    _check(complete, empty_capture=True),
    _check(no_orphans),
    _check(single_root),
    _check(well_formed),
    _check(edges),
    _check(async_context, lambda contract: any(r.kind is SpanKind.CONSUMER for r in contract.spans.values())),
    _check(no_clock_skew),
    _check(resource),
    _check(attributes),
    _check(span_names),
    _check(log_to_trace),
    _check(trace_to_log, lambda contract: any(rule.logs for rule in contract.spans.values())),
    _check(status),
    _check(
        red_equals_spans,
        lambda contract: bool(contract.metrics or contract.request_metrics),
        empty_capture=True,
    ),
    _check(
        service_graph,
        lambda contract: any(
            rule.kind in (SpanKind.CLIENT, SpanKind.PRODUCER) for rule in contract.spans.values()
        ),
    ),
    _check(exemplars, lambda contract: bool(contract.exemplars)),
    _check(sampling),
    _check(baggage, lambda contract: bool(contract.baggage)),
    _check(
        rum_joined,
        lambda contract: contract.http is None or any(r.drive == "browser" for r in contract.spans.values()),
    ),
    _check(no_secrets),
    _check(noise),
    _check(
        latency_budget,
        lambda contract: bool(contract.budget_ms or any(r.budget_ms for r in contract.spans.values())),
    ),
    _check(metric_catalog, lambda contract: contract.metric_catalog is not None),
    _check(dashboards_live, lambda contract: contract.grafana is not None, needs_spans=False),
    _check(no_loss, empty_capture=True, needs_spans=False),
)

CHECKS: Mapping[str, Check] = {check.id: check for check in _ALL}
