"""Grafana's `$name`, `${name}`, `${name:format}` and `${name.path}` in queries and links."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

_PLACE = re.compile(
    r"\$\{(?P<braced>[A-Za-z_]\w*)(?:\.(?P<path>[^:}]+))?(?::(?P<format>\w+))?\}|\$(?P<bare>[A-Za-z_]\w*)"
)


class Unfilled(Exception):
    """A placeholder that Grafana would leave in the text."""


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with every placeholder replaced.

    `values` by name; a path is part of the name (`__field.labels.service_name`). Raises `Unfilled`.
    """

    def value(match: re.Match[str]) -> str:
        name = match["bare"] or match["braced"]
        key = f"{name}.{match['path']}" if match["path"] else name
        if match["format"] == "queryparam":
            # The page's own choice travels on; it is not a value but a whole parameter.
            return f"var-{name}={quote(_value(name, values), safe='')}"
        found = _value(key, values)
        return quote(found, safe="") if match["format"] == "percentencode" else found

    return _PLACE.sub(value, text)


def placeholders(text: str) -> set[str]:
    """The names (with path) of all placeholders in a text."""
    return {
        f"{match['bare'] or match['braced']}{'.' + match['path'] if match['path'] else ''}"
        for match in _PLACE.finditer(text)
    }


def _value(key: str, values: Mapping[str, str]) -> str:
    if key not in values:
        raise Unfilled(f"${{{key}}} has no value here (there are: {', '.join(sorted(values)) or 'none'})")
    return values[key]
