from __future__ import annotations

from pathlib import Path

import pytest

from tracewright.contracts.load import ContractError, load_contracts, parse_contract

GOOD = """journey: run
http: {path: /runs}
spans:
  front:
    service: web
    name: GET /runs
    kind: server
  call: {service: web, name: GET, kind: client, parent: front}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(ContractError) as caught:
        parse_contract(text, Path("run.yaml"))
    return str(caught.value).splitlines()


def test_declarations_know_their_lines() -> None:
    contract = parse_contract(GOOD, Path("run.yaml"))
    assert contract.place("spans", "front") == "run.yaml:4"
    assert contract.place("spans", "call", "parent") == "run.yaml:8"
    assert contract.driven("http").place("spans", "call") == "run.yaml:8"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind: server", "kind: sever", "run.yaml:7: spans.front.kind: Input should be"),
        ("journey: run", "journey: Run!", "run.yaml:1: journey: "),
        ("service: web\n", "servce: web\n", "run.yaml:5: spans.front.servce: is no key here (asynchronous, "),
        (
            "http: {path",
            "http: {pat: /x, path",
            "run.yaml:2: http.pat: is no key here (headers, json, method",
        ),
        (
            "parent: front",
            "parent: frnt",
            "run.yaml:8: spans.call.parent: 'frnt' is not declared (call, front)",
        ),
        (
            "parent: front",
            "link: front, parent: front",
            "run.yaml:8: spans.call.link: a span has a `parent` or",
        ),
        (
            "kind: server",
            "kind: server\n    count: 3..1",
            "run.yaml:8: spans.front.count: '3..1' is no count",
        ),
        (
            "name: GET /runs",
            'name: "/GET (/"',
            "run.yaml:6: spans.front.name: /GET (/ is no regular expression",
        ),
        (
            "kind: server\n",
            "kind: server\n    parent: call\n",
            "run.yaml:8: spans.front.parent: is its own ancestor",
        ),
        (", parent: front", "", "run.yaml:3: spans: driven by http, exactly one span has neither"),
        ("http: {path: /runs}", "title: x", "run.yaml:1: nothing drives the journey"),
        ("spans:", "spans: [", "run.yaml:"),
    ],
)
def test_fault_is_told_with_its_line(old: str, new: str, message: str) -> None:
    found = problems(GOOD.replace(old, new, 1))
    assert any(line.startswith(message) for line in found), found


def test_all_faults_are_told_at_once() -> None:
    text = GOOD.replace("kind: server", "kind: sever").replace("kind: client", "kind: clint")
    assert len(problems(text)) == 2


def test_wrong_key_is_told_with_the_nearest_right_one() -> None:
    found = problems(GOOD.replace("kind: server", "knd: server"))
    assert any(line.endswith("did you mean 'kind'?") for line in found), found


def test_metric_of_an_undeclared_span_is_told() -> None:
    (text,) = problems(GOOD + "metrics:\n  - {name: runs_total, span: fron}\n")
    assert text.startswith("run.yaml:10: metrics.0.span: 'fron' is not declared")
    assert text.endswith("did you mean 'front'?")


def test_folder_without_contracts_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="holds no contract"):
        load_contracts(tmp_path)


@pytest.mark.parametrize("action", ["{click: Go}", "{click: Go, request: /, trace_link: /traces/}"])
def test_click_whose_trace_id_is_read_nowhere_or_twice_is_told(action: str) -> None:
    (problem,) = problems(GOOD + f"browser: {action}\n")
    assert problem.startswith("run.yaml:9: browser: a click has a `request` or a `trace_link`")
