"""A first contract from a real trace: what one run of a journey shows, in a contract's words.

What can be derived is not written, and what one trace cannot tell is not guessed: budgets, required
attributes and business metrics are for a person to add. Internal spans are listed by service, as what a
framework adds, unless something hangs on them (a log record, an error, a link, the journey's beginning).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import yaml

from tracewright.contracts.capture import PROBE_SERVICE
from tracewright.contracts.checks.no_clock_skew import END_TOLERANCE_NS, SERVER_END_TOLERANCE_NS
from tracewright.contracts.checks.span_names import UNBOUNDED
from tracewright.signals import LogRecord, Span, SpanKind, StatusCode

Key = tuple[str, str]
Rule = dict[str, Any]

CLICK = "click "
# Baggage that every probe sends: where it arrived once, it can be asked for.
PROBE_BAGGAGE = ("tenant.id", "test.id")
# Shorter than the tolerances of `no_clock_skew`: what is late by half of one may be late by all of it.
LATE_SHARE = 0.5
# What a contract without `tenants` is driven for.
DEFAULT_TENANTS = ["acme"]
SCHEMA_LINE = "# yaml-language-server: $schema=contract.schema.json"
# A part of a name that differs from request to request: a UUID, a hash, a number.
DYNAMIC = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=[a-f]*\d)(?<![\w-])[0-9a-f]{8,}(?![\w-])|\d{4,}"
    r"|(?<=/)\d+(?=/|$)"
)
DYNAMIC_PATTERN = r"[\w-]+"


class LearnError(ValueError):
    """The trace makes no contract; the text says what is missing."""


@dataclass(frozen=True)
class Seen:
    """What is known of one journey: its trace, the traces that link to it, their log records.

    `logs` is `None` where nothing shows log records. `counted` are the services that count their requests
    in `http.server.request.duration`.
    """

    trace_id: str
    spans: Sequence[Span]
    logs: Sequence[LogRecord] | None = None
    counted: frozenset[str] = frozenset()


@dataclass
class _Group:
    """Spans of one shape that hang under the same declared one."""

    alias: str
    spans: list[Span] = field(default_factory=list)
    above: str | None = None
    link: str | None = None


def learn(seen: Seen, *, journey: str = "", to: Callable[[str], str | None], body: Any = None) -> str:
    """The text of a contract file. `to` says by which name requests reach a service (`None`: the default).

    A journey without a name is named by its entry. Raises `LearnError` when there is no trace, or when
    nobody could drive it.
    """
    lesson = _Lesson(seen)
    entry = lesson.entry
    drives = _drives(lesson, to, body)
    if not drives:
        raise LearnError(
            f"the trace begins with {entry}, which no request and no click begins: nothing can drive it"
        )
    if not journey:
        journey = re.sub(r"[^a-z0-9]+", "-", entry.name.lower()).strip("-")
        journey = journey if journey[:1].isalpha() else f"journey-{journey}"
    lines = [SCHEMA_LINE, f"# Learned from trace {seen.trace_id}.", f"journey: {journey}", ""]
    tenant = entry.attributes.get("tenant.id")
    if "tenant.id" in lesson.rest().get("baggage", ()) and [tenant] != DEFAULT_TENANTS:
        lines.insert(-1, f"tenants: {_flow([tenant])}")
    lines += [f"{name}: {_flow(block)}" for name, block in drives.items()]
    lines += ["", "spans:", *(f"  {alias}: {_flow(rule)}" for alias, rule in lesson.rules().items())]
    rest = lesson.rest()
    if rest:
        lines += ["", *(f"{name}: {_flow(value)}" for name, value in rest.items())]
    return "\n".join(lines) + "\n"


class _Lesson:
    """The spans of one journey, sorted into declared groups."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        spans = {span.key: span for span in seen.spans if span.service != PROBE_SERVICE}
        self.own = [span for span in spans.values() if span.trace_id == seen.trace_id]
        if not self.own:
            raise LearnError(f"trace {seen.trace_id} has no spans")
        self.by_id = spans
        self.spans = sorted(spans.values(), key=lambda span: span.start_ns)
        self.browser = frozenset(
            s.service for s in self.spans if s.resource.attributes.get("telemetry.sdk.language") == "webjs"
        )
        roots = [span for span in self.own if (span.trace_id, span.parent_span_id) not in spans]
        if len(roots) != 1:
            found = ", ".join(map(str, roots)) or "none"
            raise LearnError(f"trace {seen.trace_id} has not one beginning but these: {found}")
        self.entry = roots[0]
        self.logged = Counter((log.trace_id, log.span_id) for log in seen.logs or ())
        self.groups: dict[tuple[object, ...], _Group] = {}
        self.alias_of: dict[Key, str] = {}
        for span in self._from_the_top():
            if self._is_declared(span):
                self._place(span)

    def rules(self) -> dict[str, Rule]:
        """The declared spans, parents before children."""
        return {group.alias: self._rule(group) for group in self.groups.values()}

    def rest(self) -> dict[str, Any]:
        """What a contract says beside the request and the spans."""
        counted = [s for s in self._servers() if s in self.seen.counted]
        internal: dict[str, list[str]] = defaultdict(list)
        for span in self.spans:
            name = pattern(span.name)
            if span.key not in self.alias_of and name not in internal[span.service]:
                internal[span.service].append(name)
        records: list[Span | LogRecord] = [*self.spans, *(self.seen.logs or ())]
        servers = [record for record in records if record.service not in self.browser]
        baggage = [k for k in PROBE_BAGGAGE if servers and all(k in r.attributes for r in servers)]
        events = {
            log.event_name for log in self.seen.logs or () if log.service in self.browser and log.event_name
        }
        found = {
            "request_metrics": counted,
            "baggage": baggage,
            "events": sorted(events),
            "internal": {service: names for service, names in internal.items() if names},
        }
        return {name: value for name, value in found.items() if value}

    def first_below(self, service: frozenset[str]) -> Span | None:
        """The first server span that these services call."""
        for span in self.spans:
            above = self.by_id.get((span.trace_id, span.parent_span_id))
            if span.kind is SpanKind.SERVER and above is not None and above.service in service:
                return span
        return None

    def _servers(self) -> list[str]:
        return list(dict.fromkeys(s.service for s in self.spans if s.kind is SpanKind.SERVER))

    def _from_the_top(self) -> Iterator[Span]:
        """The journey's own trace, then the linked ones, each from its root downwards, in order of time."""
        below: dict[Key, list[Span]] = defaultdict(list)
        tops = []
        for span in self.spans:
            above = (span.trace_id, span.parent_span_id)
            if above in self.by_id:
                below[above].append(span)
            else:
                tops.append(span)
        waiting = sorted(tops, key=lambda span: (span is not self.entry, span.start_ns))
        while waiting:
            span = waiting.pop(0)
            yield span
            waiting = [*below[span.key], *waiting]

    def _is_declared(self, span: Span) -> bool:
        linked = any((link.trace_id, link.span_id) in self.by_id for link in span.links)
        return (
            span.kind is not SpanKind.INTERNAL
            or span is self.entry
            or linked
            or span.service in self.browser
            or span.status is StatusCode.ERROR
            or "error.type" in span.attributes
            or bool(span.exceptions)
            or self.logged[span.key] > 0
            or self._late(span)
        )

    def _place(self, span: Span) -> None:
        above, link = self._declared_above(span), self._link(span)
        shape = (span.service, span.kind, pattern(span.name), above, link)
        if shape not in self.groups:
            self.groups[shape] = _Group(self._alias(span), above=above, link=link)
        self.groups[shape].spans.append(span)
        self.alias_of[span.key] = self.groups[shape].alias

    def _declared_above(self, span: Span) -> str | None:
        above = self.by_id.get((span.trace_id, span.parent_span_id))
        while above is not None and above.key not in self.alias_of:
            above = self.by_id.get((above.trace_id, above.parent_span_id))
        return self.alias_of[above.key] if above is not None else None

    def _link(self, span: Span) -> str | None:
        """The declared span that the first one of another trace links to."""
        if span.trace_id == self.seen.trace_id or self._declared_above(span) is not None:
            return None
        links = (self.alias_of.get((link.trace_id, link.span_id)) for link in span.links)
        found = next((alias for alias in links if alias), None)
        if found is None:
            raise LearnError(f"{span} is in a linked trace, and links to no span of the journey")
        return found

    def _alias(self, span: Span) -> str:
        """A short name: a server's is its service's, another's what it does."""
        if span.kind is SpanKind.SERVER:
            name = span.service
        else:
            called = next(
                (s.service for s in self.spans if (s.trace_id, s.parent_span_id) == span.key), span.service
            )
            name = f"to-{called}" if called != span.service else DYNAMIC.sub("", span.name)
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "span"
        taken = {group.alias for group in self.groups.values()}
        numbered = (slug if n == 1 else f"{slug}-{n}" for n in range(1, len(taken) + 2))
        return next(alias for alias in numbered if alias not in taken)

    def _rule(self, group: _Group) -> Rule:
        first, spans = group.spans[0], group.spans
        rule: Rule = {"service": first.service, "name": pattern(first.name), "kind": str(first.kind)}
        if group.above:
            rule["parent"] = group.above
        if group.link:
            rule["link"] = group.link
        if len(spans) > 1:
            # How many resources a page loads depends on what the browser still has.
            rule["count"] = "0.." if first.service in self.browser else len(spans)
        if first.service in self.browser and self.entry.service in self.browser:
            rule["drive"] = "browser"
        if all(self.logged[span.key] for span in spans):
            rule["logs"] = True
        if any(span.status is StatusCode.ERROR or "error.type" in span.attributes for span in spans):
            types = {str(span.attributes.get("error.type", "")) for span in spans}
            rule["error"] = types.pop() if len(types) == 1 and "" not in types else "/.+/"
        if any(span.exceptions for span in spans):
            rule["exception"] = True
        if any(self._late(span) for span in spans):
            rule["asynchronous"] = True
        return rule

    def _late(self, span: Span) -> bool:
        """Whether the span ends (or, a browser's, may end) after its parent."""
        above = self.by_id.get((span.trace_id, span.parent_span_id))
        if above is None or span.kind is SpanKind.CONSUMER:
            return False
        remote = above.service != span.service
        allowed_ns = SERVER_END_TOLERANCE_NS if remote else END_TOLERANCE_NS
        return span.service in self.browser or span.end_ns - above.end_ns > allowed_ns * LATE_SHARE


def pattern(name: str) -> str:
    """A span's name, with what differs from request to request as a pattern.

    What `span_names` takes for an id is one here, so that a name is never learned with an id in it.
    """
    if not DYNAMIC.search(name) and not UNBOUNDED.search(name):
        return name
    bounded = name.partition("?")[0] if UNBOUNDED.search(DYNAMIC.sub("", name)) else name
    parts = [re.escape(part).replace(r"\ ", " ").replace(r"\-", "-") for part in DYNAMIC.split(bounded)]
    return f"/{DYNAMIC_PATTERN.join(parts)}{'' if bounded == name else '.*'}/"


def _drives(lesson: _Lesson, to: Callable[[str], str | None], body: Any) -> dict[str, Rule]:
    """How the journey can be driven, as far as its spans tell."""
    entry = lesson.entry
    if entry.service not in lesson.browser:
        if any(span.service in lesson.browser for span in lesson.own):
            return {"browser": {"page": _path(entry)}}
        http = _http(entry, to, body)
        return {"http": http} if http else {}
    if not entry.name.startswith(CLICK):
        return {"browser": {"page": "/"}}
    server = lesson.first_below(lesson.browser)
    if server is None:
        raise LearnError(
            f"{entry} calls no server: say by hand where its page shows the trace (`trace_link`)"
        )
    http = _http(server, to, body)
    click: Rule = {"click": entry.name.removeprefix(CLICK), "request": _path(server).partition("?")[0]}
    if "status" in http:
        click["status"] = http["status"]
    return {**({"http": http} if http else {}), "browser": click}


def _http(server: Span, to: Callable[[str], str | None], body: Any) -> Rule:
    """The request that a server span answered; empty when it does not say."""
    method = server.attributes.get("http.request.method")
    if server.kind is not SpanKind.SERVER or not method:
        return {}
    request: Rule = {} if method == "GET" else {"method": str(method)}
    target = to(server.service)
    if target is not None:
        request["to"] = target
    request["path"] = _path(server)
    if body is not None:
        request["json"] = body
    status = server.attributes.get("http.response.status_code", 200)
    if status != 200:
        request["status"] = status
    return request


def _path(server: Span) -> str:
    """Path and query of the request, as it was sent."""
    attributes = server.attributes
    url = urlsplit(str(attributes.get("url.full", "")))
    path = str(attributes.get("url.path") or url.path or attributes.get("http.route") or "/")
    query = str(attributes.get("url.query") or url.query)
    return f"{path}?{query}" if query else path


def _flow(value: object) -> str:
    """A value on one line, as contracts write them."""
    text = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, width=float("inf"), allow_unicode=True
    )
    return text.removesuffix("...\n").strip()


def traces_of(trace_id: str, spans: Iterable[Span]) -> Mapping[str, list[Span]]:
    """By trace: the spans of a trace, and of every trace with a link to it."""
    found: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        found[span.trace_id].append(span)
    return {
        key: trace
        for key, trace in found.items()
        if key == trace_id or any(link.trace_id == trace_id for span in trace for link in span.links)
    }
