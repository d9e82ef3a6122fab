"""The JSON Schema of contract files, for editors: what pydantic makes of `Contract`, as YAML spells it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tracewright.contracts.model import Contract

# Committed beside this file, so that a package has it, too; made by `tracewright contract schema`.
SCHEMA_FILE = Path(__file__).with_name("contract.schema.json")


def contract_schema() -> dict[str, Any]:
    """The schema as a value, draft 2020-12."""
    schema = Contract.model_json_schema(by_alias=True)
    count = schema["$defs"]["SpanRule"]["properties"]["count"]
    # YAML reads `count: 2` as a number, and the model takes it.
    count.pop("type")
    count["anyOf"] = [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^\d+(\.\.(\d+)?)?$"}]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Trace contract",
        "anyOf": [{"required": ["http"]}, {"required": ["browser"]}],
    }


def schema_text() -> str:
    """The schema as the committed file holds it."""
    return json.dumps(contract_schema(), indent=2, ensure_ascii=False) + "\n"
