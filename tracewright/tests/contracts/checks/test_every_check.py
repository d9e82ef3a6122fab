"""What holds for all checks: a page each, a test file each, and sense about captures with nothing in them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import tracewright
from tracewright.contracts import checks
from tracewright.contracts.capture import Probe, RunCapture
from tracewright.contracts.checks import CHECKS
from tracewright.contracts.findings import Verdict
from tracewright.contracts.judge import judge_one
from tracewright.contracts.model import Contract
from tracewright.contracts.pages import COMMAND, pages
from tracewright.contracts.render import render_result, render_tree
from tracewright.tests.drawing import draw

FOLDER = Path(checks.__file__).parent


def test_every_file_of_the_folder_is_a_check() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} - {"__init__"} == set(CHECKS)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_check_says_when_it_holds_why_by_which_rule_and_what_the_usual_cause_is(check: checks.Check) -> None:
    for part in (check.title, check.why, check.rule, check.usual_cause):
        assert re.search(r"\w.*\.$", part, re.DOTALL), check.page
    assert check.page.rstrip().endswith(check.page.split(checks.USUAL_CAUSE)[1].rstrip())


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_check_has_a_file_of_twins(check: checks.Check) -> None:
    twins = (Path(__file__).parent / f"test_{check.id}.py").read_text(encoding="utf-8")
    assert len(re.findall(r"^(?:async )?def test_", twins, re.MULTILINE)) >= 2


@pytest.mark.parametrize("check", CHECKS)
def test_every_finding_says_what_was_expected_and_what_was_seen(check: str) -> None:
    tree = ast.parse((FOLDER / f"{check}.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    made = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Finding"]
    assert made
    for call in made:
        assert {"expected", "seen"} <= {keyword.arg for keyword in call.keywords}, ast.unparse(call)


def test_finding_without_a_cause_of_its_own_gets_the_usual_one(good: str, contract: Contract) -> None:
    run = draw(good.replace("frontend internal run handler", "frontend internal                           "))
    result = judge_one(run.of(run.probes[0]), contract, CHECKS["well_formed"])
    assert [finding.detail for finding in result.findings] == ["has no name"]
    assert result.findings[0].cause == CHECKS["well_formed"].usual_cause


def test_pages_are_as_fresh_as_the_docstrings() -> None:
    folder = Path(tracewright.__file__).parents[1] / "docs" / "checks"
    written = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    assert written == pages(), f"write them anew: {COMMAND}"


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_check_does_not_pass_when_nothing_was_captured(check: checks.Check, contract: Contract) -> None:
    probe = Probe(
        "drawn", "http", "a" * 32, "b" * 16, "t", "acme", 0, 1, error="connection refused", label="drawn"
    )
    result = judge_one(RunCapture((probe,), (), ()).of(probe), contract, check)
    assert result.verdict is not Verdict.PASS


def test_rendered_result_shows_the_tree_with_the_place_marked(good: str, contract: Contract) -> None:
    run = draw(good.replace("20..80 ;", "20..80 ; parent=gone"))
    capture = run.of(run.probes[0])
    text = render_result(judge_one(capture, contract, CHECKS["no_orphans"]), capture)
    marked = [line.strip() for line in text.splitlines() if "►" in line]
    assert len(marked) == 1
    assert marked[0].startswith("►   go-service POST /runs [server]")
    assert "✗ missing parent" in text


def test_tree_of_a_cycle_is_drawn_and_ends(good: str) -> None:
    run = draw(good.replace("0..100 ;", "0..100 ; id=a parent=b").replace("5..99", "5..99 ; id=b"))
    lines = render_tree(run.of(run.probes[0]))
    assert any("in a cycle" in line for line in lines)
    assert sum("[" in line for line in lines) == len(run.spans)


def test_readme_lists_every_check_and_no_other() -> None:
    readme = (Path(tracewright.__file__).parent / "README.md").read_text(encoding="utf-8")
    table = readme.split("## Checks", 1)[1].split("## ", 1)[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(CHECKS)
