"""Which captured span is which declared one.

A span is a candidate for a rule by service, kind and name. Where several rules fit (two `POST` clients of
one service), the nearest declared ancestor decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tracewright.contracts.capture import Capture
from tracewright.contracts.model import Contract, SpanRule, name_matches
from tracewright.signals import Span

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Matching:
    """`aliases` tells a span's alias by its key.

    `spans` the spans of each declared alias, in order of arrival.
    """

    aliases: Mapping[Key, str]
    spans: Mapping[str, tuple[Span, ...]]


def fits(rule: SpanRule, span: Span) -> bool:
    """Whether a span looks like a rule's span, wherever it hangs."""
    return rule.service == span.service and rule.kind == span.kind and name_matches(rule.name, span.name)


def ancestors(span: Span, by_id: Mapping[Key, Span]) -> Iterator[Span]:
    """The captured spans above a span, nearest first; ends at a missing parent, and at a cycle."""
    seen = {span.key}
    above = by_id.get((span.trace_id, span.parent_span_id))
    while above is not None and above.key not in seen:
        yield above
        seen.add(above.key)
        above = by_id.get((above.trace_id, above.parent_span_id))


def is_linked(contract: Contract, alias: str) -> bool:
    """Whether a declared span lies in a trace of its own that links to the journey's."""
    current: str | None = alias
    while current is not None:
        rule = contract.spans[current]
        if rule.link is not None:
            return True
        current = rule.parent
    return False


def match(capture: Capture, contract: Contract) -> Matching:
    """Gives every captured span that fits a rule the rule's alias; a span without one is undeclared."""
    by_id = capture.by_id()
    own = {span.key for span in capture.spans}
    linked = {alias: is_linked(contract, alias) for alias in contract.spans}
    aliases: dict[Key, str | None] = {}

    def resolve(span: Span) -> str | None:
        if span.key in aliases:
            return aliases[span.key]
        candidates = [
            alias
            for alias, rule in contract.spans.items()
            if fits(rule, span) and linked[alias] == (span.key not in own)
        ]
        aliases[span.key] = candidates[0] if candidates else None
        if len(candidates) > 1:
            above = next((alias for up in ancestors(span, by_id) if (alias := resolve(up))), None)
            chosen = next(
                (alias for alias in candidates if contract.spans[alias].parent == above), candidates[0]
            )
            aliases[span.key] = chosen
        return aliases[span.key]

    found: dict[str, list[Span]] = defaultdict(list)
    for span in capture.all_spans:
        alias = resolve(span)
        if alias is not None:
            found[alias].append(span)
    return Matching(
        aliases={key: alias for key, alias in aliases.items() if alias is not None},
        spans={alias: tuple(found.get(alias, ())) for alias in contract.spans},
    )


def declared_parent(
    span: Span, matching: Matching, by_id: Mapping[Key, Span]
) -> tuple[str | None, tuple[Span, ...]]:
    """The alias of the nearest declared span above, and the undeclared spans in between."""
    between: list[Span] = []
    for above in ancestors(span, by_id):
        alias = matching.aliases.get(above.key)
        if alias is not None:
            return alias, tuple(between)
        between.append(above)
    return None, tuple(between)
