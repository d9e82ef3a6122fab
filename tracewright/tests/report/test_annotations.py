from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tracewright.report import github_annotations
from tracewright.signals import Span
from tracewright.tests.report.runs import GOOD, ORPHAN, SECRET, report_on


def test_each_finding_is_an_error_at_the_line_of_its_declaration(tmp_path: Path) -> None:
    source = tmp_path / "contracts" / "drawn.yaml"
    commands = list(github_annotations(report_on(ORPHAN, source=source), tmp_path))
    assert len(commands) == 2
    assert commands[0].startswith(
        "::error file=contracts/drawn.yaml,line=7,title=drawn[no_orphans] fail::payments 'POST /charge'"
    )
    assert "%0Ausual cause: " in commands[0]
    assert commands[1].startswith("::error file=contracts/drawn.yaml,line=7,title=drawn[edges] fail::")


def test_finding_without_a_span_is_at_its_check_s_section(tmp_path: Path) -> None:
    slow = GOOD.replace("0..100 ", "0..1001 ")
    (command,) = github_annotations(report_on(slow, source=tmp_path / "drawn.yaml"), tmp_path)
    assert ",line=5," in command


def test_what_several_probes_have_in_common_is_one_annotation(tmp_path: Path) -> None:
    report = report_on(ORPHAN, labels=("drawn", "drawn/globex"))
    assert len(list(github_annotations(report, tmp_path))) == 2


def test_text_is_escaped_as_the_runner_reads_it(tmp_path: Path) -> None:
    def odd(span: Span) -> Span:
        return replace(span, name=f"100%\r\n::error:: {SECRET}") if span.service == "payments" else span

    source = tmp_path / "a,b:c.yaml"
    commands = list(github_annotations(report_on(ORPHAN, source=source, change=odd), tmp_path))
    assert commands
    for command in commands:
        assert command.startswith("::error file=a%2Cb%3Ac.yaml,line=")
        assert "\n" not in command
        assert "\r" not in command
        assert SECRET not in command
    assert "100%25" in "".join(commands)


def test_green_run_has_none(tmp_path: Path) -> None:
    assert list(github_annotations(report_on(GOOD), tmp_path)) == []
