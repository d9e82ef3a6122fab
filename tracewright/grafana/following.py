"""Follows a link as a click would: fills it in, and asks what the page behind it would ask."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import parse_qsl, unquote, urlsplit

from tracewright.grafana.answers import Answered, Refused, Series
from tracewright.grafana.backends import Backends, Window
from tracewright.grafana.judging import summary
from tracewright.grafana.model import Dashboard, Link, Panel, Target
from tracewright.grafana.template import Unfilled, fill

ALL = "$__all"
# So many series are clicked: all of most panels.
MOST_CLICKS = 12


class Follower:
    """Follows links between the pages of one folder, and into Explore.

    `choices` are the values of each page's variables, by page and variable.
    """

    def __init__(
        self,
        backends: Backends,
        window: Window,
        pages: Sequence[Dashboard],
        choices: Mapping[str, Mapping[str, Sequence[str]]],
    ) -> None:
        self._backends = backends
        self._window = window
        self._pages = {page.uid: page for page in pages}
        self._choices = choices

    def follow(self, panel: Panel, link: Link, series: Sequence[Series]) -> Answered:
        """A click on the link at each series (at most `MOST_CLICKS`): the first that fails, if any does."""
        clicked = [one for one in series[:MOST_CLICKS] if link.of_series] or [Series()]
        answers = [self._click(panel, link, one) for one in clicked]
        return next((answer for answer in answers if answer.problem), answers[0])

    def _click(self, panel: Panel, link: Link, clicked: Series) -> Answered:
        place = f"{panel.place} → {link.title}"
        page = self._pages[panel.dashboard]
        # What is chosen on the page and left out of an address stands for itself in Explore.
        chosen = {v.name: v.all_value for v in page.variables if not link.url.startswith("/d/")}
        values = {**self._window.macros, **{v.name: ALL for v in page.variables}, **chosen, **_names(clicked)}
        try:
            url = fill(link.url, values)
        except Unfilled as error:
            return Answered(place, link.url, problem=str(error))
        path = urlsplit(url).path
        if path.startswith("/d/"):
            return Answered(place, url, problem="; ".join(self._wrong_in_address(url)))
        if path == "/explore":
            return self._explore(place, url, clicked)
        return Answered(place, url, problem=f"{path} is neither a dashboard (/d/…) nor Explore")

    def _wrong_in_address(self, url: str) -> Iterator[str]:
        """What a dashboard would make nothing of."""
        parts = urlsplit(url)
        uid = parts.path.removeprefix("/d/")
        if uid not in self._pages:
            yield f"there is no dashboard {uid!r} (there are: {', '.join(self._pages)})"
            return
        choices = self._choices[uid]
        for key, value in parse_qsl(parts.query, keep_blank_values=True):
            if not key.startswith("var-"):
                continue
            name = key.removeprefix("var-")
            if name not in choices:
                yield f"{uid} has no variable {name!r} (it has: {', '.join(choices) or 'none'})"
            elif value != ALL and value not in choices[name]:
                yield f"{uid} offers no {name} {value!r} (it offers: {', '.join(choices[name])})"

    def _explore(self, place: str, url: str, clicked: Series) -> Answered:
        panes = dict(parse_qsl(urlsplit(url).query))["panes"]
        try:
            (pane,) = json.loads(panes).values()
            (query,) = pane["queries"]
        except (ValueError, KeyError) as error:
            return Answered(place, unquote(url), problem=f"Explore cannot read it: {error!r}")
        asked = text_of(query)
        try:
            found = self._backends.ask(query, self._window)
        except Refused as error:
            return Answered(place, asked, problem=str(error))
        # Behind a zero there may be nothing: no failed request, no trace of one.
        if not found and clicked.last != 0:
            return Answered(place, asked, problem="leads to nothing")
        return Answered(place, asked, summary(found))


def text_of(target: Target) -> str:
    """A query as a person would write it."""
    return str(
        target.get("expr") or target.get("query") or target.get("variable") or target.get("queryType", "")
    )


def _names(clicked: Series) -> dict[str, str]:
    labels = clicked.labels.items()
    return {
        "__field.displayName": clicked.name,
        **{f"__field.labels.{label}": value for label, value in labels if value},
        **{f"__data.fields.{label}": value for label, value in labels if value},
    }
