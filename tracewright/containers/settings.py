"""What the three containers run with: images, and the settings of docker-compose.yml.

The files are the project's own (collector/, tempo/, quickwit/); a wheel carries them beside this module. What
needs a component that is missing here is taken out: Prometheus, and Quickwit's PostgreSQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
CLONE = HERE.parents[1]
INDEX = "tracewright-logs"
COLLECTOR_CONFIG = "collector/config.yaml"
TEMPO_CONFIG = "tempo/tempo.yaml"
QUICKWIT_CONFIG = "quickwit/quickwit.yaml"
QUICKWIT_INDEX = f"quickwit/{INDEX}.yaml"
SHIPPED = (COLLECTOR_CONFIG, TEMPO_CONFIG, QUICKWIT_CONFIG, QUICKWIT_INDEX)


@dataclass(frozen=True, slots=True)
class Images:
    """The images, as pinned as those of docker-compose.yml (`.env`)."""

    collector: str = "otel/opentelemetry-collector-contrib:0.155.0"
    tempo: str = "grafana/tempo:3.0.3"
    quickwit: str = "quickwit/quickwit:0.9.0"


def read(name: str) -> str:
    """The text of one of the `SHIPPED` files."""
    beside = HERE / name
    return (beside if beside.is_file() else CLONE / name).read_text(encoding="utf-8")


def tempo_config() -> dict[str, Any]:
    """Tempo's settings without the service graph, which it would write to Prometheus."""
    config: dict[str, Any] = yaml.safe_load(read(TEMPO_CONFIG))
    del config["metrics_generator"]
    del config["overrides"]["defaults"]["metrics_generator"]
    return config


def quickwit_config() -> dict[str, Any]:
    """Quickwit's settings with its metastore in files, as without PostgreSQL."""
    config: dict[str, Any] = yaml.safe_load(read(QUICKWIT_CONFIG))
    del config["metastore_uri"]
    return config


def write(folder: Path) -> None:
    """Writes what the containers mount: `collector/`, `tempo/`, `quickwit/`, each for anyone to read."""
    texts = {
        "collector/config.yaml": read(COLLECTOR_CONFIG),
        "collector/overlay.yaml": (HERE / "overlay.yaml").read_text(encoding="utf-8"),
        "tempo/tempo.yaml": yaml.safe_dump(tempo_config()),
        "quickwit/quickwit.yaml": yaml.safe_dump(quickwit_config()),
    }
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.parent.chmod(0o755)
        path.chmod(0o644)
