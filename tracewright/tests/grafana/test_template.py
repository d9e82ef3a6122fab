from __future__ import annotations

import pytest

from tracewright.grafana.template import Unfilled, fill, placeholders

VALUES = {"tenant": "acme", "__field.labels.service_name": "go-service", "__rate_interval": "20s"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ('rate(x{tenant_id=~"$tenant"}[$__rate_interval])', 'rate(x{tenant_id=~"acme"}[20s])'),
        ("${tenant}-x", "acme-x"),
        ("/d/api?${tenant:queryparam}", "/d/api?var-tenant=acme"),
        ("${__field.labels.service_name}", "go-service"),
        ("costs $5", "costs $5"),
    ],
)
def test_placeholders_are_filled_as_grafana_fills_them(text: str, filled: str) -> None:
    assert fill(text, VALUES) == filled


def test_value_is_escaped_where_the_format_says_so() -> None:
    assert fill("?q=${route:percentencode}", {"route": "/api/runs"}) == "?q=%2Fapi%2Fruns"


def test_placeholder_that_nobody_fills_is_an_error_with_the_known_names() -> None:
    with pytest.raises(Unfilled, match=r"\$\{team\} has no value here \(there are: .*tenant"):
        fill("$team", VALUES)


def test_placeholders_are_listed_with_their_path() -> None:
    assert placeholders("$tenant ${__data.fields.x:raw}") == {"tenant", "__data.fields.x"}
