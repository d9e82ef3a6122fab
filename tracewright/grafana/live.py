"""Asks everything that Grafana's folder holds: panels, variables, links, rules, ways between data sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tracewright.endpoints import Endpoints
from tracewright.grafana.answers import Answered, Refused, Series
from tracewright.grafana.backends import Backends, Window
from tracewright.grafana.connections import connections, load_sources
from tracewright.grafana.following import Follower, text_of
from tracewright.grafana.judging import is_quiet, problem_of, summary
from tracewright.grafana.model import Dashboard, Need, Panel, Target, load_dashboards, load_needs
from tracewright.grafana.template import Unfilled, fill

# As many as a browser asks for at once.
AT_ONCE = 6


def ask_everything(endpoints: Endpoints, folder: Path) -> list[Answered]:
    """All questions of a Grafana folder, put to a running stack.

    `folder` holds `dashboards/*.json` and `provisioning/datasources/*.yaml`. A page has its own time range.
    Raises `ValueError` when the folder holds no dashboards.
    """
    pages = load_dashboards(folder / "dashboards")
    needs = load_needs(folder / "dashboards")
    window = Window.back(max(page.range_s for page in pages))
    with Backends(endpoints) as backends:
        answers: list[Answered] = []
        choices: dict[str, dict[str, list[str]]] = {page.uid: {} for page in pages}
        for page in pages:
            answers += _variables(backends, Window.back(page.range_s), page, choices[page.uid])
        follower = Follower(backends, window, pages, choices)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            asking = [
                pool.submit(_panel, backends, Window.back(page.range_s), page, panel, needs, follower)
                for page in pages
                for panel in page.panels
            ]
            for asked in asking:
                answers += asked.result()
        answers += _rules(backends, window, needs)
        answers += connections(backends, window, load_sources(folder / "provisioning" / "datasources"))
        return answers


def _variables(
    backends: Backends, window: Window, page: Dashboard, choices: dict[str, list[str]]
) -> Iterator[Answered]:
    for variable in page.variables:
        place = f"{page.uid} · variable {variable.name}"
        choices[variable.name] = []
        try:
            choices[variable.name] = backends.values(variable.target, window)
        except Refused as error:
            yield Answered(place, text_of(variable.target), problem=str(error))
            continue
        found = choices[variable.name]
        yield Answered(
            place, text_of(variable.target), ", ".join(found), problem="" if found else "offers nothing"
        )


def _panel(
    backends: Backends,
    window: Window,
    page: Dashboard,
    panel: Panel,
    needs: Mapping[str, Need],
    follower: Follower,
) -> list[Answered]:
    answers: list[Answered] = []
    missing = _missing(backends, window, needs.get(f"{panel.dashboard}/{panel.id}"))
    seen: list[Series] = []
    for target in panel.targets:
        place = f"{panel.place} · {target['refId']}"
        if missing:
            answers.append(Answered(place, text_of(target), skipped=missing))
            continue
        values = {**window.macros, **{variable.name: variable.all_value for variable in page.variables}}
        try:
            asked = _filled(target, values)
            series = backends.ask(asked, window)
        except (Refused, Unfilled) as error:
            answers.append(Answered(place, text_of(target), problem=str(error)))
            continue
        seen += series
        problem = problem_of(panel, target, series)
        quiet = is_quiet(target, series)
        answers.append(Answered(place, text_of(asked), summary(series), problem, quiet=quiet))
    for link in panel.links:
        if missing:
            answers.append(Answered(f"{panel.place} → {link.title}", link.url, skipped=missing))
        else:
            answers.append(follower.follow(panel, link, seen))
    return answers


def _rules(backends: Backends, window: Window, needs: Mapping[str, Need]) -> Iterator[Answered]:
    try:
        rules = backends.rules()
    except Refused as error:
        yield Answered("rules", "/api/v1/rules", problem=str(error))
        return
    for rule in rules:
        place = f"rule {rule['group']} · {rule['name']}"
        if missing := _missing(backends, window, needs.get(f"rule/{rule['name']}")):
            yield Answered(place, rule["query"], skipped=missing)
        elif rule["health"] != "ok":
            why = f"{rule['health']}: {rule.get('lastError') or 'not evaluated yet'}"
            yield Answered(place, rule["query"], problem=why)
        else:
            yield _rule(backends, window, place, rule["type"], rule["name"], rule["query"])


def _rule(backends: Backends, window: Window, place: str, kind: str, name: str, query: str) -> Answered:
    """A recording rule has to record something. An alert has to watch something, and is usually silent."""
    try:
        if kind == "recording":
            series = backends.prometheus_now(name, window)
            return Answered(place, query, summary(series), problem="" if series else "records nothing")
        watched = backends.selectors(query)
        alive = [one for one in watched if backends.prometheus_now(f"count({one})", window)]
    except Refused as error:
        return Answered(place, query, problem=str(error))
    if watched and not alive:
        return Answered(place, query, problem=f"watches series that do not exist: {', '.join(watched)}")
    return Answered(place, query, f"watches {len(alive)} of {len(watched)} selectors")


def _missing(backends: Backends, window: Window, need: Need | None) -> str:
    """Why something is not asked on this stack; empty when the component that it needs is there."""
    if need is None:
        return ""
    try:
        runs = backends.prometheus_now(f'up{{job="{need.job}"}} == 1', window)
    except Refused:
        return ""
    return "" if runs else f"no {need.job} here: {need.why}"


def _filled(target: Target, values: Mapping[str, str]) -> Target:
    """A target with the placeholders of its query replaced."""
    return {key: fill(value, values) if key in ("expr", "query") else value for key, value in target.items()}


def lines(answers: Sequence[Answered]) -> Iterator[str]:
    """How it went: a line for each problem, what was not asked and why, and the count."""
    for answer in answers:
        if answer.problem:
            yield f"✗ {answer.place}: {answer.problem}\n    {answer.query}"
    for answer in answers:
        if answer.skipped:
            yield f"- {answer.place}: not asked, {answer.skipped}"
    asked = [answer for answer in answers if not answer.skipped]
    yield f"{sum(answer.ok for answer in asked)} of {len(asked)} questions answered"
