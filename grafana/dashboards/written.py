"""All dashboards, and the text of their files."""

from __future__ import annotations

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.dashboards import api, browser, business, database, fleet, logs_traces, pipeline, slo, system

FOLDER = Path(__file__).parent
_BUILDERS = (
    fleet.build,
    api.build,
    system.build,
    business.build,
    database.build,
    browser.build,
    logs_traces.build,
    pipeline.build,
    slo.build,
)


def dashboards() -> list[Dashboard]:
    """Every dashboard, in the order in which a newcomer would open them."""
    return [build() for build in _BUILDERS]


def rendered() -> dict[str, str]:
    """The JSON of each dashboard by file name."""
    return {
        f"{board.uid}.json": json.dumps(board, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False)
        + "\n"
        for board in dashboards()
    }
