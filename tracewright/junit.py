"""A report as a JUnit file, for the command; pytest writes its own."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from tracewright.contracts.findings import Verdict
from tracewright.verify import Report


def write_junit(report: Report, path: Path) -> None:
    """Writes a suite per probe and a case per check; what was not judged is skipped, with its reason."""
    suites = ElementTree.Element("testsuites", name="tracewright")
    for probe in report.run.probes:
        own = [result for result in report.results if result.journey == probe.label]
        suite = ElementTree.SubElement(
            suites,
            "testsuite",
            name=probe.label,
            tests=str(len(own)),
            failures=str(sum(result.verdict.red for result in own)),
            skipped=str(sum(result.verdict is Verdict.NOT_JUDGED for result in own)),
        )
        contract = report.contracts[probe.journey]
        for result in own:
            case = ElementTree.SubElement(
                suite, "testcase", classname=probe.label, name=result.check, file=contract.place()
            )
            if result.verdict.red:
                first = result.findings[0]
                failure = ElementTree.SubElement(
                    case, "failure", type=result.verdict, message=f"{first.subject} {first.detail}"
                )
                failure.text = report.render_one(result)
            elif result.verdict is Verdict.NOT_JUDGED:
                ElementTree.SubElement(
                    case, "skipped", message="; ".join(finding.detail for finding in result.findings)
                )
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)
