"""The doctor on machines that lack something, made from a PATH of small scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracewright.stack.doctor import GIB, Finding, examine, require
from tracewright.stack.errors import MissingTools
from tracewright.stack.toolchain import Toolchain

HEALTHY = {
    "go": "go version go1.26.8 linux/amd64",
    "rustc": "rustc 1.95.0 (59807616e 2026-04-14)",
    "cargo": "cargo 1.95.0 (f2d3ce0bd 2026-03-21)",
    "node": "v20.20.2",
    "npm": "11.19.1",
    "cc": "cc (Debian 14.2.0-1) 14.2.0",
}


def machine(folder: Path, tools: dict[str, str]) -> Toolchain:
    for name, says in tools.items():
        script = folder / name
        script.write_text(f"#!/bin/sh\necho '{says}'\n")
        script.chmod(0o755)
    return Toolchain({"PATH": str(folder)}, usual_folders=())


def ask(folder: Path, tools: dict[str, str], *, free: int = 100 * GIB) -> dict[str, Finding]:
    found = examine(folder, machine(folder, tools), free_bytes=lambda path: free)
    return {finding.name: finding for finding in found}


def test_a_machine_that_has_everything_is_well(tmp_path: Path) -> None:
    findings = ask(tmp_path, HEALTHY)
    assert all(finding.ok for finding in findings.values())
    assert findings["Go"].found == "1.26.8"
    require(list(findings.values()))


@pytest.mark.parametrize(
    ("tool", "name"),
    [("go", "Go"), ("rustc", "Rust"), ("cargo", "Cargo"), ("node", "Node.js"), ("npm", "npm")],
)
def test_a_missing_tool_is_named_with_the_command_that_gets_it(tmp_path: Path, tool: str, name: str) -> None:
    findings = ask(tmp_path, {key: says for key, says in HEALTHY.items() if key != tool})
    assert [finding.name for finding in findings.values() if not finding.ok] == [name]
    assert "not found" in findings[name].found
    assert findings[name].remedy


@pytest.mark.parametrize(
    ("tool", "says", "name", "message"),
    [
        ("go", "go version go1.25.3 linux/amd64", "Go", "1.25.3 is too old (needs 1.26 or later)"),
        ("rustc", "rustc 1.94.1 (x)", "Rust", "1.94.1 is too old (needs 1.95 or later)"),
        ("node", "v18.20.0", "Node.js", "18.20.0 is too old (needs 20.9 or later)"),
        ("node", "v20.8.1", "Node.js", "20.8.1 is too old (needs 20.9 or later)"),
    ],
)
def test_an_old_tool_is_named_with_what_is_needed(
    tmp_path: Path, tool: str, says: str, name: str, message: str
) -> None:
    assert ask(tmp_path, HEALTHY | {tool: says})[name].found == message


def test_a_machine_without_a_linker_is_told_so(tmp_path: Path) -> None:
    finding = ask(tmp_path, {key: says for key, says in HEALTHY.items() if key != "cc"})["C compiler"]
    assert not finding.ok
    assert "Rust links with `cc`" in finding.found


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    finding = ask(tmp_path, HEALTHY, free=GIB)["Disk space"]
    assert (finding.ok, finding.found) == (False, "1.0 GiB free (needs 8 GiB)")
    (tmp_path / ".tracewright" / "build" / "bin").mkdir(parents=True)
    assert ask(tmp_path, HEALTHY, free=GIB)["Disk space"].ok


def test_an_old_python_is_named(tmp_path: Path) -> None:
    finding = examine(tmp_path, machine(tmp_path, HEALTHY), python=(3, 10, 2))[0]
    assert (finding.name, finding.ok, finding.found) == ("Python", False, "3.10.2")


def test_everything_that_is_missing_is_in_one_message(tmp_path: Path) -> None:
    with pytest.raises(MissingTools) as caught:
        require(list(ask(tmp_path, {"cc": "cc 1.0", "npm": "11.0.0", "node": "v20.9.0"}).values()))
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["Go", "Rust", "Cargo"]
    assert all("Get it: " in line for line in lines)
