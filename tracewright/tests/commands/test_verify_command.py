"""`tracewright verify` against the fake stack: what it prints, writes and exits with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from tracewright.cli import app
from tracewright.stack.ports import free_ports
from tracewright.tests.fake_stack import CONTRACT, FakeStack

BODY = json.dumps({"tenant": "acme"})
HTTP = 'http: {method: POST, path: /api/runs, json: {tenant: "{tenant}"}}\n'


# For what is expected to stay incomplete: all else is there at once, also on a busy machine.
INCOMPLETE = ("--deadline", "6")


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeStack]:
    monkeypatch.chdir(tmp_path)
    Path("run.yaml").write_text(CONTRACT, encoding="utf-8")
    Path("tee").mkdir()
    with FakeStack(Path("tee").resolve()) as stack:
        stack.tee = False
        yield stack


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["verify", *arguments])


def driven(stack: FakeStack, *more: str) -> Result:
    url = stack.endpoints.frontend
    backends = ["--tempo", str(url), "--quickwit", str(url), "--prometheus", str(url)]
    request = ["--request", f"POST {url}/api/runs", "--data", BODY]
    return run("run.yaml", *request, *backends, "--quiet", "0.2", "--deadline", "60", *more)


def test_good_request_exits_with_0_and_shows_its_tree(stack: FakeStack) -> None:
    result = driven(stack)
    assert result.exit_code == 0, result.output
    assert "fake POST /api/runs [server]" in result.output
    assert "✓ run: 15 checks passed (not judged: " in result.output
    assert not Path("test-results").exists()


def test_broken_request_exits_with_1_marks_the_place_and_says_how_to_replay(stack: FakeStack) -> None:
    stack.log_with_context = False
    result = driven(stack, "--junit", "out/telemetry.xml", *INCOMPLETE)
    assert result.exit_code == 1
    assert "► fake POST /api/runs [server]" in result.output
    assert (
        "✗ run: log_to_trace fail, trace_to_log fail (not judged: service_graph, sampling, no_loss)"
        in result.output
    )
    command = "tracewright verify run.yaml --replay test-results/captures"
    assert command in result.output
    assert run("run.yaml", "--replay", "test-results/captures").exit_code == 1
    suite = ElementTree.parse("out/telemetry.xml").getroot()[0]
    assert suite.get("failures") == "2"
    assert suite.get("tests") == str(len(suite))
    assert suite.get("skipped") == str(sum(case.find("skipped") is not None for case in suite))
    failed = {case.get("name"): case for case in suite if case.find("failure") is not None}
    assert set(failed) == {"log_to_trace", "trace_to_log"}
    assert failed["trace_to_log"].get("file") == "run.yaml:2"
    assert "has no log record" in (failed["trace_to_log"].findtext("failure") or "")


def test_replay_of_a_good_capture_needs_no_stack_and_exits_with_0(stack: FakeStack) -> None:
    stack.counts_twice = True
    assert driven(stack).exit_code == 1
    stack.__exit__(None, None, None)
    again = run("run.yaml", "--replay", "test-results/captures", "--checks", "edges,status")
    assert again.exit_code == 0, again.output
    assert "✓ run: 2 checks passed" in again.output


def test_backend_that_is_not_given_is_not_judged_and_never_passed(stack: FakeStack) -> None:
    url = str(stack.endpoints.frontend)
    limits = ["--quiet", "0.2", "--deadline", "60"]
    result = run("run.yaml", "--request", f"POST {url}/api/runs", "--data", BODY, "--tempo", url, *limits)
    assert result.exit_code == 0, result.output
    assert (
        "(not judged: log_to_trace, trace_to_log, red_equals_spans, service_graph, sampling, no_loss)"
        in result.output
    )


def test_nothing_judged_is_an_error_and_no_pass(stack: FakeStack) -> None:
    url = str(stack.endpoints.frontend)
    result = run(
        "run.yaml", "--request", f"POST {url}/api/runs", "--data", BODY, "--quickwit", url, "--quiet", "0.1"
    )
    assert result.exit_code == 2
    assert "– run: nothing was judged" in result.output
    assert "nothing could be judged" in result.output


def test_request_goes_over_the_contracts_own(stack: FakeStack) -> None:
    url = str(stack.endpoints.frontend)
    Path("run.yaml").write_text(CONTRACT.replace("/api/runs, json", "/elsewhere, json"), encoding="utf-8")
    assert driven(stack).exit_code == 0
    Path("run.yaml").write_text(CONTRACT.replace(HTTP, ""), encoding="utf-8")
    assert driven(stack).exit_code == 0
    result = run("run.yaml", "--target", url, "--tempo", url)
    assert (result.exit_code, "run.yaml:2: nothing drives the journey" in result.output) == (2, True)


def test_contracts_own_request_is_sent_to_the_target(stack: FakeStack) -> None:
    url = str(stack.endpoints.frontend)
    Path("run.yaml").write_text(CONTRACT.replace("path: /api", "to: shop, path: /api"), encoding="utf-8")
    limits = ["--tempo", url, "--quiet", "0.2", "--deadline", "60"]
    assert run("run.yaml", "--target", f"shop={url}", *limits).exit_code == 0
    result = run("run.yaml", "--target", url, *limits)
    assert (result.exit_code, "the stack has no shop" in result.output) == (1, True)


def test_endpoints_file_serves_in_place_of_the_options(stack: FakeStack) -> None:
    stack.tee = True
    replace(stack.endpoints, otlp_http=None).save(Path("endpoints.json"))
    result = run("run.yaml", "--endpoints", "endpoints.json", "--quiet", "0.2", "--deadline", "60")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run.yaml", "--request", "FETCH /x"], "--request 'FETCH /x': expected a method and a URL"),
        (
            ["run.yaml", "--request", "http://h/", "--header", "nothing"],
            "--header 'nothing': expected 'Name:",
        ),
        (["run.yaml", "--request", "http://h/", "--data", "{"], "--data: is no JSON"),
        (["run.yaml", "--request", "http://h/", "--data", "@none.json"], "--data @none.json: No such file"),
        (["run.yaml", "--data", "{}"], "--header, --data and --status belong to a --request"),
        (["run.yaml", "--checks", "edge"], "--checks: no check 'edge' (there are: complete, no_orphans"),
        (["run.yaml", "--target", "127.0.0.1:1"], "'127.0.0.1:1': expected a URL like http://"),
        (["run.yaml", "--target", "http://h"], "nothing shows the telemetry: give --tempo"),
        (["run.yaml", "--endpoints", "none.json"], "No such file or directory: 'none.json'"),
        (["run.yaml", "--endpoints", "run.yaml"], "run.yaml: holds no endpoints"),
        (["run.yaml", "--otlp", "here"], "'here': expected PORT, :PORT or HOST:PORT"),
        (["none.yaml", "--tempo", "http://h"], "none.yaml: No such file or directory"),
        (["run.yaml", "--replay", "nowhere"], "nowhere: holds no capture, run.json is missing"),
    ],
)
def test_wrong_call_exits_with_2_and_names_the_value(
    stack: FakeStack, arguments: list[str], message: str
) -> None:
    result = run(*arguments)
    assert (result.exit_code, message in result.output) == (2, True), result.output


def test_replay_of_other_journeys_says_what_the_capture_holds(stack: FakeStack) -> None:
    stack.counts_twice = True
    driven(stack)
    Path("walk.yaml").write_text(CONTRACT.replace("journey: run", "journey: walk"), encoding="utf-8")
    result = run("walk.yaml", "--replay", "test-results/captures")
    assert result.exit_code == 2
    assert "holds no probe of walk (it holds: run)" in result.output


def test_page_is_written_of_a_run_and_of_a_replay(stack: FakeStack) -> None:
    stack.log_with_context = False
    driven(stack, "--report", "page", *INCOMPLETE)
    first = Path("page/index.html").read_text(encoding="utf-8")
    assert "/api/v2/traces/" in first
    run("run.yaml", "--replay", "test-results/captures", "--report", "again")
    again = Path("again/index.html").read_text(encoding="utf-8")
    assert "tracewright verify run.yaml --replay test-results/captures" in again
    assert "/api/v2/traces/" not in again


def test_without_any_backend_the_request_is_judged_by_what_it_exports(stack: FakeStack) -> None:
    """The service exports to the port that the command opens; the port is free until then."""
    (port,) = free_ports(["OTLP"]).values()
    stack.exports_to = f"http://127.0.0.1:{port}"
    url = str(stack.endpoints.frontend)
    request = ["--request", f"POST {url}/api/runs", "--data", BODY, "--otlp", f":{port}", "--quiet", "0.2"]
    result = run("run.yaml", *request)
    assert result.exit_code == 0, result.output
    unjudged = "trace_to_log, red_equals_spans, service_graph, sampling, no_loss"
    assert f"✓ run: 13 checks passed (not judged: {unjudged})" in result.output
    stack.log_with_context = False
    result = run("run.yaml", *request)
    assert (result.exit_code, "✗ run: log_to_trace fail" in result.output) == (1, True), result.output
