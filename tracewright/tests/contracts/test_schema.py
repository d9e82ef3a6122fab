from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tracewright.contracts.schema import SCHEMA_FILE, schema_text
from tracewright.tests.fake_stack import CONTRACT

CONTRACTS = sorted((Path(__file__).parents[3] / "e2e" / "contracts").glob("*.yaml"))


def faults(contract: Any) -> list[str]:
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(contract)]


def test_committed_schema_is_the_models() -> None:
    """Made by: tracewright contract schema > tracewright/contracts/contract.schema.json."""
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text()


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: path.stem)
def test_every_contract_of_ours_fits_and_names_the_schema(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert faults(yaml.safe_load(text)) == []
    named = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / named).resolve() == SCHEMA_FILE


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind: server", "kind: sever", "'sever' is not one of ['unspecified', 'internal', 'server'"),
        ("kind: server", "kind: server, cuont: 1", "'cuont' was unexpected"),
        ("kind: server", "kind: server, count: many", "'many' is not valid under any of the given schemas"),
        ("http:", "browser: {}\nhtp:", "'htp' was unexpected"),
        ("journey: run", "journey: Run!", "'Run!' does not match"),
        ("http: {", "baggage: [a]\n# {", "is not valid under any of the given schemas"),
    ],
)
def test_fault_is_seen_by_an_editor(old: str, new: str, message: str) -> None:
    assert faults(yaml.safe_load(CONTRACT)) == []
    found = faults(yaml.safe_load(CONTRACT.replace(old, new, 1)))
    assert any(message in fault for fault in found), found


def test_count_may_be_a_number_or_a_range() -> None:
    for count in ("2", "0..3", "2.."):
        assert faults(yaml.safe_load(CONTRACT.replace("kind: client", f"kind: client, count: {count}"))) == []
