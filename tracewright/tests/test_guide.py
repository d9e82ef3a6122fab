"""What the harness' guides show is so: the contract is the example's, commands and options exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from tracewright.cli import app
from tracewright.contracts.load import load_contract, parse_contract

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "harness.md"
PAGES = (GUIDE, ROOT / "tracewright" / "README.md", ROOT / "examples" / "three-services" / "README.md")
PLUGIN = (ROOT / "tracewright" / "plugin.py").read_text(encoding="utf-8")


def commands(page: Path) -> list[list[str]]:
    """Every `tracewright …` that a page shows, in a block or in a sentence, as its words."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    shown = re.findall(r"^\s*(?:\$ )?(tracewright (?:verify|otlp|contract)\b.*)$", text, re.MULTILINE)
    shown += re.findall(r"`(tracewright\s(?:verify|otlp|contract)\b[^`]*)`", text)
    return [shlex.split(line.partition(" > ")[0].replace("\\|", "|")) for line in shown]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_that_are_shown_take_the_options_that_are_shown(page: Path) -> None:
    found = commands(page)
    assert found
    for _, *words in found:
        command = typer.main.get_command(app)
        while isinstance(command, TyperGroup):
            inner = command.get_command(typer.Context(command), words[0])
            assert inner is not None, words
            command, words = inner, words[1:]
        known = {option for parameter in command.params for option in parameter.opts}
        asked = {word for word in words if word.startswith("-")}
        assert asked <= known, f"{page}: {asked - known} of {words}"


def test_options_of_the_plugin_that_are_shown_exist() -> None:
    for page in PAGES:
        for name in re.findall(r"--tracewright-([a-z-]+[a-z])", page.read_text(encoding="utf-8")):
            assert f"--tracewright-{name}" in PLUGIN or f'("{name}"' in PLUGIN, f"{page}: {name}"


def test_guides_contract_is_the_examples() -> None:
    block = re.search(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    example = load_contract(ROOT / "examples" / "three-services" / "contracts" / "order.yaml")
    assert parse_contract(block[1], GUIDE).model_dump() == example.model_dump()
