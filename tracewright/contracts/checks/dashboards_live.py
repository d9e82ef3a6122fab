"""Every panel, variable, rule and link of the declared Grafana folder answers with data.

A dashboard breaks in silence: a renamed metric, label or field leaves a panel that says "No data", which
looks like a quiet day. So the queries are sent to the backends as Grafana's data sources send them, for the
time range of the page, and links are followed for what was clicked. Asked once a run of all journeys.

Rule: our own: a dashboard is part of what a team ships, so its queries are tested as code is.

Usual cause: a metric, a label or a log field that was renamed, a recording rule that is not loaded, an
exporter that does not run, or an address between pages that was changed on one side.
"""

from __future__ import annotations

from tracewright.contracts.capture import Capture
from tracewright.contracts.findings import Finding, Verdict
from tracewright.contracts.model import Contract


def check(capture: Capture, contract: Contract) -> list[Finding]:
    """All questions of the folder that were not answered as they ought to be."""
    answers = capture.run.dashboards
    if answers is None:
        return [
            Finding(
                contract.place("grafana"),
                "its panels are fed by all journeys, so this is not judged",
                expected="a run of all journeys",
                seen="a run of a part of them",
                kind=Verdict.NOT_JUDGED,
            )
        ]
    return [
        Finding(
            answer.place,
            answer.problem,
            expected=f"data (declared at {contract.place('grafana')})",
            seen=answer.seen or "nothing",
            cause=f"a metric, label or field has another name than the query says: {answer.query}",
        )
        for answer in answers
        if answer.problem and not answer.quiet
    ]
