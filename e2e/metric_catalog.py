"""Writes `e2e/metrics.yaml` from what a stack exported: `python -m e2e.metric_catalog TEE_FOLDER`.

To be run after the whole suite, so that every label has been seen; `make metrics` does both.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tracewright.contracts.catalog import Series, learn, load_catalog, write
from tracewright.signals.tee import Tee

CATALOG = Path(__file__).parent / "metrics.yaml"


def main() -> int:
    """Exit code 1 when the tee holds no metric."""
    parser = argparse.ArgumentParser(prog="python -m e2e.metric_catalog", description=__doc__)
    parser.add_argument("tee", type=Path)
    options = parser.parse_args()
    series = Series()
    series.take(Tee(options.tee).metrics())
    services = learn(series.shapes(), load_catalog(CATALOG) if CATALOG.exists() else None)
    if not services:
        print(f"{options.tee}: holds no metric")
        return 1
    CATALOG.write_text(write(services), encoding="utf-8")
    print(f"{CATALOG.name}: {sum(map(len, services.values()))} metrics of {', '.join(services)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
