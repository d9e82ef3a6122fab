from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tracewright.cli import app
from tracewright.contracts.schema import schema_text
from tracewright.tests.fake_stack import CONTRACT, FakeStack


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("run.yaml").write_text(CONTRACT, encoding="utf-8")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["contract", *arguments])


def test_schema_is_printed() -> None:
    assert run("schema").stdout == schema_text()


def test_good_contracts_are_counted() -> None:
    result = run("check", ".")
    assert (result.exit_code, result.output) == (0, "✓ 1 contracts hold together: run\n")


def test_every_fault_of_every_file_is_told_with_file_and_line() -> None:
    Path("bad.yaml").write_text(CONTRACT.replace("kind: server", "knd: server"), encoding="utf-8")
    Path("worse.yaml").write_text("journey: [", encoding="utf-8")
    result = run("check", "run.yaml", "bad.yaml", "worse.yaml", "none.yaml")
    assert result.exit_code == 1
    assert "bad.yaml:5: spans.front.knd: is no key here" in result.stderr
    assert "bad.yaml:5: spans.front.kind: Field required" in result.stderr
    assert "worse.yaml:1: not YAML" in result.stderr
    assert "none.yaml: No such file or directory" in result.stderr


def test_journey_that_two_files_declare_is_a_fault() -> None:
    Path("second.yaml").write_text(CONTRACT, encoding="utf-8")
    result = run("check", "run.yaml", "second.yaml")
    assert (result.exit_code, result.stderr) == (1, "second.yaml:2: run is declared in run.yaml, too\n")


def test_folder_without_a_contract_is_a_wrong_call(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run("check", "empty")
    assert (result.exit_code, "empty: holds no contract (*.yaml)" in result.stderr) == (2, True)


def driven(folder: Path) -> FakeStack:
    """A stack that has served one request."""
    stack = FakeStack(folder)
    stack.serve_run(f"00-{TRACE}-{'b' * 16}-01", "test.id=t-1")
    return stack


TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize("witness", ["backends", "folder", "file"])
def test_contract_is_learned_from_a_trace_and_holds(folder: Path, witness: str) -> None:
    with driven(folder) as stack:
        stack.endpoints.save(folder / "endpoints.json")
        backends = ["--tempo", stack.endpoints.tempo or "", "--quickwit", stack.endpoints.quickwit or ""]
        sources = {
            "backends": backends,
            "folder": ["--capture", str(folder)],
            "file": ["--capture", "traces.jsonl"],
        }
        result = run("learn", TRACE, *sources[witness], "--data", '{"tenant": "acme"}', "-o", "learned.yaml")
        assert result.exit_code == 0, result.output
        assert "learned.yaml: journey post-api-runs, 2 declared spans" in result.stderr
        assert ("give --quickwit" in result.stderr) is (witness == "file")
        assert run("check", "learned.yaml").exit_code == 0
        verified = CliRunner().invoke(
            app, ["verify", "learned.yaml", "--endpoints", "endpoints.json", "--quiet", "0.3"]
        )
        assert verified.exit_code == 0, verified.output
        again = run("learn", TRACE, *sources[witness], "-o", "learned.yaml")
        assert (again.exit_code, "is there already" in again.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["no-id", "--capture", "."], "'no-id' is no trace id"),
        ([TRACE], "nothing has the trace: give --tempo, --endpoints or --capture"),
        ([TRACE, "--capture", "none.jsonl"], "none.jsonl: holds no OTLP/JSON lines"),
        ([TRACE, "--capture", "run.yaml"], "run.yaml: is no file of OTLP/JSON lines"),
        (["1" * 32, "--capture", "traces.jsonl"], "has no spans"),
        ([TRACE, "--capture", "traces.jsonl", "--data", "{"], "--data: is no JSON"),
        (["1" * 32, "--tempo", "URL", "--deadline", "0.2"], "has no trace 1111"),
        ([TRACE, "--tempo", "http://127.0.0.1:1"], "http://127.0.0.1:1"),
    ],
)
def test_what_cannot_be_learned_is_named(folder: Path, arguments: list[str], fault: str) -> None:
    with driven(folder) as stack:
        given = [stack.endpoints.tempo or "" if text == "URL" else text for text in arguments]
        result = run("learn", *given)
    assert result.exit_code == 2
    assert fault in result.stderr
    assert result.stdout == ""


def test_learned_contract_is_printed_with_what_it_lacks(folder: Path) -> None:
    with driven(folder):
        result = run("learn", TRACE, "--capture", ".")
    assert "\njourney: post-api-runs\n" in result.stdout
    assert "a trace does not hold the body of a POST: give it with --data" in result.stderr
