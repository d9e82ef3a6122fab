"""A contract that is learned from a trace of the fleet holds for the next run of the same journey."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
from typer.testing import CliRunner

from tracewright.cli import app
from tracewright.contracts.load import load_contract
from tracewright.endpoints import Endpoints
from tracewright.probe import drive_http
from tracewright.verify import ProbePlan, verify

# A browser's journeys differ in what it finds in its cache; an error, a query and a search are in these.
JOURNEYS = ("agent-run", "error-python-service", "data-rust-service")


def test_learned_contracts_hold(
    endpoints: Endpoints, http: httpx.Client, contracts_folder: Path, tmp_path: Path
) -> None:
    stack = tmp_path / "endpoints.json"
    endpoints.save(stack)
    written = [load_contract(contracts_folder / f"{journey}.yaml") for journey in JOURNEYS]
    probes = [drive_http(one, endpoints, http, tenant="acme", label=one.journey) for one in written]
    assert [probe.error for probe in probes] == ["", "", ""]
    learned = []
    for probe, one in zip(probes, written, strict=True):
        body = one.http.json_body if one.http else None
        file = tmp_path / f"{probe.journey}.yaml"
        arguments = ["--endpoints", str(stack), "--journey", probe.journey, "--output", str(file)]
        if body is not None:
            arguments += ["--data", json.dumps(body)]
        result = CliRunner().invoke(app, ["contract", "learn", probe.trace_id, *arguments])
        assert result.exit_code == 0, result.output
        learned.append(load_contract(file))
        assert {rule.service for rule in learned[-1].spans.values()} == one.driven("http").services
    report = verify(endpoints, [ProbePlan(journey) for journey in JOURNEYS], contracts=learned)
    assert report.ok, report.render()
