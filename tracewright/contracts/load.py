"""Contract files: YAML in, `Contract` out, errors with file and line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tracewright.contracts.catalog import CatalogError, load_catalog
from tracewright.contracts.model import Contract

Place = tuple[str | int, ...]


class ContractError(ValueError):
    """A contract file that does not hold together; the text has one `file:line: what` line per problem."""


def load_contract(path: Path, *, http: Mapping[str, Any] | None = None) -> Contract:
    """Reads one contract; the keys of `http` go over those of its `http` block. Raises `ContractError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ContractError(f"{path}: {error.strerror}") from error
    return parse_contract(text, path, http=http)


def load_contracts(folder: Path) -> list[Contract]:
    """All contracts of a folder (`*.yaml`), by file name. Raises `ContractError`, also when there is none."""
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise ContractError(f"{folder}: holds no contract (*.yaml)")
    return [load_contract(path) for path in paths]


def parse_contract(text: str, source: Path, *, http: Mapping[str, Any] | None = None) -> Contract:
    """Reads a contract's text; `source` is named in errors. Raises `ContractError`."""
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ContractError(f"{source}:{line}: not YAML: {error.problem}") from error
    lines: dict[Place, int] = {}
    if tree is not None:
        _collect_lines(tree, (), lines)
    if not isinstance(data, dict):
        raise ContractError(f"{source}:1: a contract is a mapping with `journey` and `spans`")
    if http:
        data["http"] = {**(data.get("http") or {}), **http}
    try:
        contract = Contract.model_validate(data)
    except ValidationError as error:
        problems = [(problem["loc"], _text(problem)) for problem in error.errors()]
        raise ContractError(_report(source, lines, problems)) from error
    broken = list(_broken_references(contract)) or list(_broken_shape(contract))
    if broken:
        raise ContractError(_report(source, lines, broken))
    try:
        named = contract.metric_catalog
        catalog = load_catalog(source.parent / named) if named else None
    except CatalogError as error:
        raise ContractError(_report(source, lines, [(("metric_catalog",), str(error))])) from error
    return contract.located(source, lines, catalog)


def _text(problem: ErrorDetails) -> str:
    if problem["type"] == "extra_forbidden":
        keys = _keys(problem["loc"][:-1])
        return f"is no key here ({', '.join(keys)}){_near(str(problem['loc'][-1]), keys)}"
    message = problem["msg"].removeprefix("Value error, ")
    given = problem["input"]
    return f"{message} (given: {given!r})" if isinstance(given, str | int | float | bool) else message


def _keys(place: Place) -> list[str]:
    """The keys that may stand at a place."""
    model: type[BaseModel] = Contract
    for part in place:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        # What is no field is an alias of a span or a place in a list: the model stays.
        if part in fields:
            model = next(_models(fields[str(part)].annotation), model)
    return sorted(field.alias or name for name, field in model.model_fields.items())


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _report(source: Path, lines: dict[Place, int], problems: Iterable[tuple[Place, str]]) -> str:
    return "\n".join(
        f"{source}:{_line(lines, place)}: {'.'.join(map(str, place)) + ': ' if place else ''}{message}"
        for place, message in problems
    )


def _line(lines: dict[Place, int], place: Place) -> int:
    """The line of the innermost part of the place that is in the file."""
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def _collect_lines(node: yaml.Node, place: Place, lines: dict[Place, int]) -> None:
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*place, key.value)
            lines[inner] = key.start_mark.line + 1
            _collect_lines(value, inner, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _collect_lines(value, (*place, index), lines)


def _broken_references(contract: Contract) -> Iterable[tuple[Place, str]]:
    spans = contract.spans
    for alias, rule in spans.items():
        for role, target in (("parent", rule.parent), ("link", rule.link)):
            if target is not None and target not in spans:
                yield ("spans", alias, role), _undeclared(target, spans)
        if rule.parent is not None and rule.link is not None:
            yield (
                ("spans", alias, "link"),
                "a span has a `parent` or a `link`, not both (a linked span is in a trace of its own)",
            )
    for index, metric in enumerate(contract.metrics):
        if metric.span not in spans:
            yield ("metrics", index, "span"), _undeclared(metric.span, spans)
    for index, service in enumerate(contract.request_metrics):
        if service not in contract.services:
            yield ("request_metrics", index), _undeclared(service, contract.services)


def _broken_shape(contract: Contract) -> Iterable[tuple[Place, str]]:
    """What can be asked only once all references lead somewhere."""
    cycles = list(_cycles(contract))
    yield from cycles
    for drive in contract.drives if not cycles else ():
        entries = [a for a, r in contract.driven(drive).spans.items() if r.parent is None and r.link is None]
        if len(entries) != 1:
            found = ", ".join(entries) or "none"
            yield (
                ("spans",),
                f"driven by {drive}, exactly one span has neither `parent` nor `link`; here: {found}",
            )


def _cycles(contract: Contract) -> Iterable[tuple[Place, str]]:
    above = {alias: rule.parent or rule.link for alias, rule in contract.spans.items()}
    for alias, rule in contract.spans.items():
        seen = [alias]
        current = above[alias]
        while current is not None and current not in seen:
            seen.append(current)
            current = above[current]
        if current == alias:
            role = "parent" if rule.parent else "link"
            yield ("spans", alias, role), f"is its own ancestor: {' → '.join([*seen, alias])}"


def _undeclared(name: str, declared: Iterable[str]) -> str:
    known = sorted(declared)
    return f"{name!r} is not declared ({', '.join(known)}){_near(name, known)}"


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f", did you mean {near[0]!r}?" if near else ""
