from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tracewright.contracts.capture import RunCapture, Sampling
from tracewright.contracts.findings import Verdict, verdict_of
from tracewright.contracts.graph import DROPPED, REQUESTS, UNPAIRED
from tracewright.contracts.load import parse_contract
from tracewright.contracts.model import Contract
from tracewright.signals import Sample
from tracewright.tests.contracts.checks.twins import judged, said
from tracewright.tests.drawing import draw

CONTRACT = parse_contract(
    """
journey: drawn
http: {path: /orders, method: POST}
spans:
  shop: {service: shop, name: POST /orders, kind: server}
  call: {service: shop, name: POST, kind: client, parent: shop}
  pay: {service: payments, name: POST /charge, kind: server, parent: call}
  row: {service: payments, name: INSERT charges, kind: client, parent: pay}
  send: {service: shop, name: send orders, kind: producer, parent: shop}
  pack: {service: stock, name: process orders, kind: consumer, parent: send}
""",
    Path("shop.yaml"),
)
GOOD = """
shop server POST /orders              0..100
  shop client POST                   10..60
    payments server POST /charge     20..50
      payments client INSERT charges 30..40 ; +db.system.name=postgresql +db.namespace=ledger
  shop producer send orders          70..80
    stock consumer process orders    90..99
"""


def edge(client: str, server: str, value: float, connection: str = "") -> Sample:
    labels = {"client": client, "server": server, "job": "tempo"}
    return Sample(REQUESTS, {**labels, **({"connection_type": connection} if connection else {})}, value)


PAY = edge("shop", "payments", 1)
LEDGER = edge("payments", "ledger", 1, "database")
PACK = edge("shop", "stock", 1, "messaging_system")
GRAPH = (PAY, LEDGER, PACK, edge("tracewright-probe", "shop", 1))


def graphed(text: str, *after: Sample, before: tuple[Sample, ...] = ()) -> RunCapture:
    return replace(draw(text), graph_before=before, graph_after=after)


def test_graph_of_the_declared_calls_passes() -> None:
    assert judged("service_graph", graphed(GOOD, *GRAPH), CONTRACT) == []


def test_only_what_moved_during_the_run_counts() -> None:
    old = (replace(PAY, value=7), edge("shop", "mail", 3))
    now = (replace(PAY, value=8), LEDGER, PACK, edge("shop", "mail", 3))
    assert judged("service_graph", graphed(GOOD, *now, before=old), CONTRACT) == []


@pytest.mark.parametrize(
    ("lacking", "place"),
    [
        (PAY, "shop → payments"),
        (LEDGER, "payments → ledger (database)"),
        (PACK, "shop → stock (messaging_system)"),
    ],
    ids=["call", "database", "message"],
)
def test_edge_that_the_graph_lacks_is_reported_beside_the_others(lacking: Sample, place: str) -> None:
    rest = tuple(sample for sample in GRAPH if sample != lacking)
    (finding,) = judged("service_graph", graphed(GOOD, *rest), CONTRACT)
    assert (finding.subject, finding.detail) == (place, "is missing in the service graph")
    assert (finding.expected.split(" ")[0], finding.seen) == ("+1", "+0")
    assert [line for line in finding.evidence if "►" in line and place in line]
    assert len(finding.evidence) == 4


def test_edge_that_counts_one_call_of_two_is_reported() -> None:
    twice = GOOD + "  shop client POST 61..69\n    payments server POST /charge 62..68\n"
    (finding,) = judged("service_graph", graphed(twice, *GRAPH), CONTRACT)
    assert (finding.detail, finding.expected.split(" ")[0], finding.seen) == (
        "is counted too low in the service graph",
        "+2",
        "+1",
    )


def test_client_that_says_it_is_internal_leaves_no_edge() -> None:
    broken = GOOD.replace("shop client POST  ", "shop internal POST")
    (finding,) = judged("service_graph", graphed(broken, LEDGER, PACK), CONTRACT)
    assert finding.subject == "shop → payments"
    assert finding.cause.startswith("no client span has this server span right below it")


def test_halves_that_waited_in_vain_are_told_as_the_cause() -> None:
    run = graphed(GOOD, LEDGER, PACK, Sample(UNPAIRED, {"client": "shop"}, 2))
    (finding,) = judged("service_graph", run, CONTRACT)
    assert finding.cause.startswith("2 spans waited for their other half in vain")


def test_call_that_the_contract_does_not_declare_is_marked_in_the_tree() -> None:
    more = GOOD + "  payments client GET 81..89\n    stock server GET /shelf 82..88\n"
    run = graphed(more, *GRAPH, edge("payments", "stock", 1))
    (finding,) = judged("service_graph", run, CONTRACT)
    assert said([finding]) == ["payments → stock is in the service graph and not in the contract"]
    assert finding.span == run.spans[-1].key


def test_edge_that_no_captured_call_explains_is_reported() -> None:
    run = graphed(GOOD, *GRAPH, edge("stock", "payments", 1))
    assert said(judged("service_graph", run, CONTRACT)) == [
        "stock → payments moved in the service graph, and no captured call explains it"
    ]


def test_edges_of_others_and_virtual_nodes_are_left_alone() -> None:
    others = (edge("crawler", "blog", 4), edge("user", "shop", 1, "virtual_node"))
    assert judged("service_graph", graphed(GOOD, *GRAPH, *others), CONTRACT) == []


def test_calls_of_others_are_no_finding_without_a_tee() -> None:
    run = graphed(GOOD, *GRAPH, edge("stock", "payments", 1), replace(PAY, value=9))
    assert judged("service_graph", replace(run, whole=False), CONTRACT) == []


def test_series_of_several_instances_are_one_edge() -> None:
    halves = [replace(PAY, labels={**PAY.labels, "__metrics_gen_instance": name}, value=0.5) for name in "ab"]
    assert judged("service_graph", graphed(GOOD, *halves, LEDGER, PACK), CONTRACT) == []


def test_traces_that_were_sampled_away_are_not_expected_in_the_graph() -> None:
    run = replace(graphed(GOOD), stored_spans=frozenset(), sampling=Sampling(10.0))
    assert judged("service_graph", run, CONTRACT) == []


def test_generator_without_room_is_reported() -> None:
    run = graphed(GOOD, *GRAPH, Sample(DROPPED, {"service": "shop"}, 5))
    assert said(judged("service_graph", run, CONTRACT)) == [f"{DROPPED} moved during the run"]


def test_restarted_generator_is_inconclusive() -> None:
    run = graphed(GOOD, *GRAPH, before=(replace(PAY, value=9),))
    assert verdict_of(judged("service_graph", run, CONTRACT)) is Verdict.INCONCLUSIVE


def test_stack_without_a_graph_is_not_judged(good: str, contract: Contract) -> None:
    assert verdict_of(judged("service_graph", draw(good), contract)) is Verdict.NOT_JUDGED


def test_prometheus_that_does_not_answer_is_inconclusive() -> None:
    run = replace(graphed(GOOD, *GRAPH), errors={"prometheus": "ConnectError"})
    assert verdict_of(judged("service_graph", run, CONTRACT)) is Verdict.INCONCLUSIVE
