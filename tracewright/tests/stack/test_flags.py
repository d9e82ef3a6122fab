"""Flags of a stack: what is written, read back and refused; what is made of the catalogue is fresh."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flags.make import made
from tracewright import cli
from tracewright.contracts.checks import CHECKS
from tracewright.contracts.load import load_contracts
from tracewright.stack import commands
from tracewright.stack.flags import FlagFile, FlagsError, Switch, load_faults, prepare
from tracewright.stack.paths import StackPaths

ROOT = Path(__file__).resolve().parents[3]
FAULTS = load_faults(ROOT)
FIRST, SECOND = list(FAULTS)[:2]
# Files of the services that name their flags.
SOURCES = (
    "services/go-service/faults/faults.go",
    "services/python-service/python_service/faults.py",
    "services/rust-service/src/faults.rs",
    "frontend/src/server/faults/faults.ts",
    "frontend/src/telemetry/page-faults.ts",
)

runner = CliRunner()


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackPaths:
    shutil.copytree(ROOT / "flags", tmp_path / "flags")
    monkeypatch.setattr(commands, "REPO_ROOT", tmp_path)
    return StackPaths(tmp_path, "default")


def test_shipped_file_and_table_are_made_of_the_catalogue() -> None:
    for path, text in made().items():
        assert path.read_text(encoding="utf-8") == text, "run .venv/bin/python flags/make.py"


def test_catalogue_names_real_journeys_and_checks() -> None:
    contracts = {contract.journey: contract for contract in load_contracts(ROOT / "e2e" / "contracts")}
    for name, fault in FAULTS.items():
        assert name.startswith("telemetry-")
        for shown, checks in fault.red.items():
            journey, at, drive = shown.partition("@")
            assert (drive or "http") in contracts[journey].drives, f"{name}: {shown}"
            assert not at or drive == "browser"
            assert set(checks) <= CHECKS.keys(), name
            assert len(checks) == len(set(checks))


def test_services_and_catalogue_name_the_same_flags() -> None:
    named = {
        flag
        for source in SOURCES
        for flag in re.findall(r"telemetry-[a-z-]+", (ROOT / source).read_text(encoding="utf-8"))
    }
    assert named == set(FAULTS)


@pytest.mark.parametrize(
    "switch", [Switch(), Switch(tenants=("acme",)), Switch(tests=("t",)), Switch(("acme", "globex"), ("t",))]
)
def test_what_is_switched_on_is_read_back(switch: Switch, tmp_path: Path) -> None:
    flags = FlagFile(tmp_path / "flags" / "f.json", FAULTS)
    flags.write({FIRST: switch})
    assert flags.read() == {FIRST: switch}
    flags.switch(SECOND, Switch())
    flags.switch(FIRST, None)
    assert flags.read() == {SECOND: Switch()}


def test_a_flag_that_is_off_has_no_targeting(tmp_path: Path) -> None:
    flags = FlagFile(tmp_path / "f.json", FAULTS)
    flags.write({})
    for flag in json.loads(flags.path.read_text())["flags"].values():
        assert flag["defaultVariant"] == "off"
        assert "targeting" not in flag


def test_unknown_flag_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    flags = FlagFile(tmp_path / "f.json", FAULTS)
    flags.write({})
    with pytest.raises(FlagsError, match=FIRST):
        flags.switch("telemetry-nothing", None)
    with pytest.raises(FlagsError, match=FIRST):
        flags.switch("telemetry-nothing", Switch())
    assert flags.read() == {}


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"flags": {"x": {"targeting": {"if": []}}}}'])
def test_a_file_that_somebody_broke_is_named_with_the_way_out(text: str, tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_text(text)
    with pytest.raises(FlagsError, match="flags reset"):
        FlagFile(path, FAULTS).read()


def test_a_stack_begins_with_everything_off_and_keeps_its_switches_while_it_runs(clone: StackPaths) -> None:
    flags = FlagFile(clone.flags, FAULTS)
    prepare(clone, running=False)
    flags.switch(FIRST, Switch())
    prepare(clone, running=True)
    assert flags.read() == {FIRST: Switch()}
    prepare(clone, running=False)
    assert flags.read() == {}


def test_a_flag_that_is_no_longer_known_is_forgotten(clone: StackPaths) -> None:
    flags = FlagFile(clone.flags, {**FAULTS, "telemetry-old": FAULTS[FIRST]})
    flags.write({"telemetry-old": Switch(), SECOND: Switch()})
    prepare(clone, running=True)
    assert FlagFile(clone.flags, FAULTS).read() == {SECOND: Switch()}


def test_command_switches_on_for_a_tenant_and_off_again(clone: StackPaths) -> None:
    prepare(clone, running=False)
    result = runner.invoke(cli.app, ["flags", "on", FIRST, "--tenant", "acme"])
    assert result.exit_code == 0, result.output
    assert re.search(rf"{FIRST} +on for tenant acme", result.stdout)
    assert re.search(rf"{SECOND} +off", result.stdout)
    assert FlagFile(clone.flags, FAULTS).read() == {FIRST: Switch(("acme",))}
    assert runner.invoke(cli.app, ["flags", "off", FIRST]).exit_code == 0
    assert FlagFile(clone.flags, FAULTS).read() == {}
    runner.invoke(cli.app, ["flags", "on", FIRST])
    assert runner.invoke(cli.app, ["flags", "reset"]).exit_code == 0
    assert FlagFile(clone.flags, FAULTS).read() == {}


def test_command_switches_another_file(clone: StackPaths) -> None:
    shipped = clone.root / "flags" / "fleet.flagd.json"
    assert runner.invoke(cli.app, ["flags", "on", FIRST, "--file", str(shipped)]).exit_code == 0
    assert FlagFile(shipped, FAULTS).read() == {FIRST: Switch()}


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["on"], 2, "needs the name of a flag"),
        (["reset", "telemetry-x"], 2, "takes no flag"),
        (["on", "telemetry-x"], 1, "there is no flag 'telemetry-x'"),
        ([], 1, "has this stack been started?"),
    ],
)
def test_command_says_what_is_wrong(arguments: list[str], code: int, told: str, clone: StackPaths) -> None:
    if code == 1 and arguments:
        prepare(clone, running=False)
    result = runner.invoke(cli.app, ["flags", *arguments])
    assert result.exit_code == code
    assert told in " ".join(result.stderr.split())
