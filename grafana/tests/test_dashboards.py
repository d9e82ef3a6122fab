"""What holds for every dashboard: it is fresh, readable at a glance, and its queries can be read."""

from __future__ import annotations

import json
import re
from typing import Any

import promql_parser
import pytest
import yaml

from grafana.dashboards import slo
from grafana.dashboards.written import FOLDER, rendered
from tracewright.grafana.backends import QUICKWIT_TYPE, Window
from tracewright.grafana.model import Dashboard, Panel, load_dashboards, load_needs
from tracewright.grafana.template import fill

PAGES = load_dashboards(FOLDER)
PANELS = [panel for page in PAGES for panel in page.panels]
RAW = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}
SOURCES = {"prometheus": "prometheus", "tempo": "tempo", QUICKWIT_TYPE: "quickwit"}
# A screen is about 24 units of Grafana's grid high.
SCREEN = 24
MACROS = Window(0, 1800).macros


def every(panel: Panel) -> str:
    return f"{panel.dashboard}-{panel.id}"


@pytest.mark.parametrize("name", rendered())
def test_file_is_what_the_code_makes(name: str) -> None:
    path = FOLDER / name
    assert path.exists(), f"{name} is missing: run make dashboards"
    assert path.read_text(encoding="utf-8") == rendered()[name], f"{name} is stale: run make dashboards"


def test_no_file_is_left_of_a_dashboard_that_is_gone() -> None:
    assert set(RAW) == set(rendered())


@pytest.mark.parametrize("page", RAW.values(), ids=RAW)
def test_page_is_three_questions_and_at_most_a_screen_and_a_half_high(page: Any) -> None:
    questions = [panel["title"] for panel in page["panels"] if panel["type"] == "row"]
    assert len(questions) == 3
    assert all(question.endswith("?") for question in questions)
    assert page["panels"][0]["type"] == "row"
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in page["panels"])
    assert bottom <= SCREEN * 1.5


@pytest.mark.parametrize("page", RAW.values(), ids=RAW)
def test_panels_fill_their_rows_and_do_not_overlap(page: Any) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in page["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, f"{panel['title']} lies on another panel"
        assert at["x"] + at["w"] <= 24, f"{panel['title']} is off the page"
        taken |= cells
    rows = {y for _, y in taken}
    assert taken == {(x, y) for x in range(24) for y in rows}, "a row has a hole"


@pytest.mark.parametrize("page", RAW.values(), ids=RAW)
def test_ids_are_unique(page: Any) -> None:
    ids = [panel["id"] for panel in page["panels"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("panel", PANELS, ids=every)
def test_panel_has_a_sentence_a_unit_a_query_and_a_way_on(panel: Panel) -> None:
    assert panel.description.endswith((".", ")."))
    assert panel.unit
    assert panel.targets
    assert panel.links


@pytest.mark.parametrize("page", RAW.values(), ids=RAW)
def test_panel_and_query_name_the_same_data_source_by_type_and_uid(page: Any) -> None:
    for panel in page["panels"]:
        for target in panel.get("targets", ()):
            source = target["datasource"]
            assert SOURCES[source["type"]] == source["uid"]
            assert panel["datasource"] == source, f"{panel['title']}: Grafana would ask the panel's source"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.uid)
def test_every_variable_of_a_query_is_one_of_the_page(page: Dashboard) -> None:
    values = {**MACROS, **{variable.name: variable.all_value for variable in page.variables}}
    for panel in page.panels:
        for target in panel.targets:
            fill(str(target.get("expr") or target.get("query") or ""), values)


@pytest.mark.parametrize("panel", PANELS, ids=every)
def test_promql_is_read_by_the_parser(panel: Panel) -> None:
    values = {**MACROS, "tenant": ".*", "service": ".*", "job": ".*", "exporter": ".*"}
    for target in panel.targets:
        if "expr" in target:
            promql_parser.parse(fill(target["expr"], values))


@pytest.mark.parametrize("panel", PANELS, ids=every)
def test_latency_of_traced_work_asks_for_exemplars(panel: Panel) -> None:
    for target in panel.targets:
        if "histogram_quantile" in target.get("expr", "") and panel.kind == "timeseries":
            assert target["exemplar"] is True


def test_needs_name_panels_that_exist() -> None:
    there = {f"{panel.dashboard}/{panel.id}" for panel in PANELS}
    assert {key for key in load_needs(FOLDER) if not key.startswith("rule/")} <= there


def test_objectives_are_those_of_the_rules() -> None:
    rules = (FOLDER.parents[1] / "prometheus" / "rules" / "slo.yml").read_text(encoding="utf-8")
    allowed = {float(share) for share in re.findall(r"14\.4 \* ([0-9.]+)", rules)}
    assert allowed == {round(1 - slo.AVAILABILITY, 6), round(1 - slo.LATENCY, 6)}


def test_the_alert_of_each_objective_names_its_runbook() -> None:
    repository = FOLDER.parents[1]
    rules = yaml.safe_load((repository / "prometheus" / "rules" / "slo.yml").read_text(encoding="utf-8"))
    alerts = {rule["alert"]: rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule}
    assert len(alerts) == 2
    for name, alert in alerts.items():
        runbook = repository / alert["annotations"]["runbook"]
        assert runbook.read_text(encoding="utf-8").startswith(f"# {name}\n")
