from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tracewright.cli import app
from tracewright.contracts.schema import schema_text
from tracewright.tests.fake_stack import CONTRACT


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
