from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tracewright.contracts.checks import CHECKS
from tracewright.contracts.load import parse_contract
from tracewright.stack.ports import free_ports
from tracewright.tests.fake_stack import CONTRACT, FakeStack

FAST = ("-p", "no:asyncio", "-p", "no:cacheprovider", "--tracewright-quiet-s=0.3")
ALL = sum(check.applies(parse_contract(CONTRACT, Path("run.yaml"))) for check in CHECKS.values())


@pytest.fixture
def stack(pytester: pytest.Pytester) -> Iterator[FakeStack]:
    folder = pytester.mkdir("contracts")
    (folder / "run.yaml").write_text(CONTRACT, encoding="utf-8")
    with FakeStack(pytester.mkdir("tee")) as stack:
        stack.endpoints.save(pytester.path / "endpoints.json")
        yield stack


def test_each_check_of_a_contract_is_a_test(pytester: pytest.Pytester, stack: FakeStack) -> None:
    result = pytester.runpytest(*FAST, "-v", "--tracewright-endpoints=endpoints.json")
    result.assert_outcomes(passed=ALL)
    result.stdout.fnmatch_lines(
        ["contracts/run.yaml::run[[]no_orphans[]] PASSED*", "*seen: 1 traces, 3 spans*"]
    )


def test_red_run_prints_the_findings_and_keeps_a_capture_that_replays(
    pytester: pytest.Pytester, stack: FakeStack
) -> None:
    stack.counts_twice = True
    result = pytester.runpytest(*FAST, "--tracewright-endpoints=endpoints.json")
    result.assert_outcomes(passed=ALL - 1, failed=1)
    result.stdout.fnmatch_lines(['*runs_total{status="ok"} disagrees with the spans*', "*seen: 2"])
    result.stdout.fnmatch_lines(
        ["capture kept; judge it again with: pytest contracts --tracewright-replay test-results/captures"]
    )
    again = pytester.runpytest(*FAST, "--tracewright-replay=test-results/captures")
    again.assert_outcomes(passed=ALL - 1, failed=1)


def test_fixture_drives_a_probe_of_its_own(pytester: pytest.Pytester, stack: FakeStack) -> None:
    pytester.makepyfile(
        """
        def test_one(tracewright_endpoints, telemetry, probe):
            assert tracewright_endpoints.frontend
            assert telemetry.ok, telemetry.render()
            report = probe("run", tenant="globex")
            assert report.ok, report.render()
            assert report.traces["run/globex"] != telemetry.traces["run"]
        """
    )
    result = pytester.runpytest(*FAST, "--tracewright-endpoints=endpoints.json")
    result.assert_outcomes(passed=ALL + 1)


def test_conftest_may_start_the_stack(pytester: pytest.Pytester, stack: FakeStack) -> None:
    pytester.makeconftest(
        """
        from pathlib import Path
        from tracewright.endpoints import Endpoints

        def pytest_tracewright_endpoints(config):
            return Endpoints.load(Path("endpoints.json"))
        """
    )
    pytester.runpytest(*FAST).assert_outcomes(passed=ALL)


def test_only_the_named_checks_are_collected(pytester: pytest.Pytester, stack: FakeStack) -> None:
    result = pytester.runpytest(*FAST, "--co", "-q", "--tracewright-checks=edges,status")
    result.stdout.fnmatch_lines(["contracts/run.yaml::run[[]edges[]]", "contracts/run.yaml::run[[]status[]]"])


def test_unknown_check_is_a_usage_error_with_the_valid_ones(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest("--tracewright-checks=no_orphan")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*no check 'no_orphan' (there are: complete, no_orphans,*"])


def test_replay_of_a_folder_without_a_capture_is_a_usage_error(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest("--tracewright-replay=nowhere")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*nowhere: holds no capture, run.json is missing*"])


def test_missing_stack_says_how_to_give_one(pytester: pytest.Pytester, stack: FakeStack) -> None:
    result = pytester.runpytest(*FAST)
    result.assert_outcomes(failed=ALL)
    result.stdout.fnmatch_lines(["no stack to drive: give --tracewright-endpoints FILE*"])


def test_broken_contract_is_a_collection_error_with_file_and_line(pytester: pytest.Pytester) -> None:
    folder = pytester.mkdir("contracts")
    (folder / "run.yaml").write_text(CONTRACT.replace("parent: front", "parent: frond"), encoding="utf-8")
    result = pytester.runpytest(*FAST)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*run.yaml:6: spans.step.parent: 'frond' is not declared*did you mean 'front'?"]
    )


def test_page_of_the_run_is_written_where_asked_also_for_a_replay(
    pytester: pytest.Pytester, stack: FakeStack
) -> None:
    stack.counts_twice = True
    result = pytester.runpytest(
        *FAST, "--tracewright-endpoints=endpoints.json", "--tracewright-report=out/report"
    )
    result.stdout.fnmatch_lines(["report: out/report/index.html"])
    page = (pytester.path / "out/report/index.html").read_text(encoding="utf-8")
    assert "runs_total" in page
    assert f"{stack.endpoints.frontend}/traces/" in page
    pytester.runpytest(*FAST, "--tracewright-replay=test-results/captures", "--tracewright-report=again")
    again = (pytester.path / "again/index.html").read_text(encoding="utf-8")
    assert f"1 of {ALL} checks is red" in again
    assert "pytest contracts --tracewright-replay test-results/captures" in again
    assert "/traces/" not in again


def test_findings_become_annotations_on_github_unless_switched_off(
    pytester: pytest.Pytester, stack: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.counts_twice = True
    asked = (*FAST, "--tracewright-endpoints=endpoints.json")
    pytester.runpytest(*asked).stdout.no_fnmatch_line("::error*")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    pytester.runpytest(*asked).stdout.fnmatch_lines(
        ["::error file=contracts/run.yaml,line=8,title=run[[]red_equals_spans[]] fail::*runs_total{*"]
    )
    pytester.runpytest(*asked, "--tracewright-annotations=never").stdout.no_fnmatch_line("::error*")


def test_junit_has_a_case_for_each_check_with_its_trace_and_findings(
    pytester: pytest.Pytester, stack: FakeStack
) -> None:
    stack.counts_twice = True
    pytester.runpytest(*FAST, "--tracewright-endpoints=endpoints.json", "--junitxml=junit.xml")
    cases = {
        case.get("name"): case for case in ElementTree.parse(pytester.path / "junit.xml").iter("testcase")
    }
    assert len(cases) == ALL
    red = cases["run[red_equals_spans]"]
    failure = red.find("failure")
    assert failure is not None
    assert 'runs_total{status="ok"} disagrees with the spans' in (failure.text or "")
    trace_id = stack.spans[0].trace_id
    for case in cases.values():
        properties = {one.get("name"): one.get("value") for one in case.iter("property")}
        assert properties["trace_id"] == trace_id
        assert properties["open in console"] == f"{stack.endpoints.frontend}/traces/{trace_id}"
    assert cases["run[edges]"].find("failure") is None


def test_phases_are_told_as_they_end(pytester: pytest.Pytester, stack: FakeStack) -> None:
    result = pytester.runpytest(*FAST, "--tracewright-endpoints=endpoints.json")
    result.stdout.re_match_lines(
        [
            r"trace contracts: baseline: .*, \d+\.\d s",
            r"trace contracts: drive: 1 probes, \d+\.\d s",
            r"trace contracts: settle: .*, \d+\.\d s",
            r"trace contracts: judge: \d+ checks, \d+\.\d s",
        ],
        consecutive=False,
    )


def test_one_check_of_one_journey_is_chosen_by_its_name(pytester: pytest.Pytester, stack: FakeStack) -> None:
    result = pytester.runpytest(
        *FAST, "-v", "--tracewright-endpoints=endpoints.json", "-k", "run and no_orphans"
    )
    result.assert_outcomes(passed=1, deselected=ALL - 1)
    result.stdout.fnmatch_lines(["contracts/run.yaml::run[[]no_orphans[]] PASSED*"])


def test_two_lines_of_ini_do_in_place_of_an_endpoints_file(
    pytester: pytest.Pytester, stack: FakeStack
) -> None:
    url = stack.endpoints.frontend
    pytester.makeini(f"[pytest]\ntracewright_target = {url}\ntracewright_tempo = {url}\n")
    result = pytester.runpytest(*FAST)
    unjudged = "log_to_trace, trace_to_log, red_equals_spans, service_graph, sampling, no_loss"
    result.assert_outcomes(passed=ALL - 6, skipped=6)
    result.stdout.fnmatch_lines([f"*(not judged: {unjudged})*"])


def test_receives_the_telemetry_itself_where_it_is_told_to(
    pytester: pytest.Pytester, stack: FakeStack
) -> None:
    (port,) = free_ports(["OTLP"]).values()
    stack.exports_to = f"http://127.0.0.1:{port}"
    url = stack.endpoints.frontend
    pytester.makeini(f"[pytest]\ntracewright_target = {url}\ntracewright_otlp = :{port}\n")
    pytester.runpytest(*FAST).assert_outcomes(passed=ALL - 5, skipped=5)
    stack.log_with_context = False
    pytester.runpytest(*FAST).assert_outcomes(passed=ALL - 6, failed=1, skipped=5)


def test_taken_otlp_port_is_a_usage_error(pytester: pytest.Pytester) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = pytester.runpytest(f"--tracewright-otlp={port}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--tracewright-otlp: 127.0.0.1:{port}: somebody listens there already"])


def test_run_in_which_nothing_was_judged_is_no_success(pytester: pytest.Pytester, stack: FakeStack) -> None:
    url = stack.endpoints.frontend
    pytester.makeini(f"[pytest]\ntracewright_target = {url}\n")
    result = pytester.runpytest(*FAST)
    result.assert_outcomes(skipped=ALL)
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(["*nothing could be judged*"])


def test_workers_of_xdist_share_one_run(pytester: pytest.Pytester, stack: FakeStack) -> None:
    stack.counts_twice = True
    result = pytester.runpytest_subprocess(*FAST, "-n", "2", "--tracewright-endpoints=endpoints.json")
    result.assert_outcomes(passed=ALL - 1, failed=1)
    assert len({span.trace_id for span in stack.spans}) == 1, "driven more than once"
    result.stdout.fnmatch_lines(["*run: red_equals_spans fail*", "capture kept; judge it again with: *"])
    result.stderr.re_match_lines([r"\.*trace contracts: drive: 1 probes, \d+\.\d s"])
    pytester.runpytest(*FAST, "--tracewright-replay=test-results/captures").assert_outcomes(
        passed=ALL - 1, failed=1
    )
