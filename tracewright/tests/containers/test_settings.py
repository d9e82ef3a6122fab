"""What the containers run with is what docker-compose.yml runs with, less what needs another component."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from tracewright.containers.settings import (
    CLONE,
    INDEX,
    QUICKWIT_INDEX,
    SHIPPED,
    Images,
    quickwit_config,
    read,
    tempo_config,
    write,
)

ROOT = Path(__file__).parents[3]


def test_images_are_those_of_compose() -> None:
    pinned = dict(
        line.split("=", 1)
        for line in (ROOT / ".env").read_text(encoding="utf-8").splitlines()
        if "=" in line and not line.startswith("#")
    )
    assert asdict(Images()) == {
        name: pinned[f"{name.upper()}_IMAGE"] for name in ("collector", "tempo", "quickwit")
    }


@pytest.mark.parametrize("name", SHIPPED)
def test_settings_are_the_projects_own_files(name: str) -> None:
    assert CLONE == ROOT
    assert read(name) == (ROOT / name).read_text(encoding="utf-8")


def test_nothing_refers_to_a_component_that_is_missing() -> None:
    for config in (tempo_config(), quickwit_config()):
        text = yaml.safe_dump(config)
        assert "prometheus" not in text
        assert "postgres" not in text
    assert tempo_config()["distributor"]["receivers"]["otlp"]["protocols"]["grpc"] == {
        "endpoint": "0.0.0.0:4317"
    }
    assert yaml.safe_load(read(QUICKWIT_INDEX))["index_id"] == INDEX


def test_overlay_is_the_tee_of_test_stacks_without_prometheus() -> None:
    ours, tee = (
        yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
        for path in ("tracewright/containers/overlay.yaml", "collector/tee.yaml")
    )
    tee["service"]["pipelines"]["metrics"]["exporters"].remove("otlp_http/prometheus")
    assert ours == tee


def test_files_are_written_for_anyone_to_read(tmp_path: Path) -> None:
    write(tmp_path)
    files = {str(path.relative_to(tmp_path)): path for path in tmp_path.rglob("*.yaml")}
    assert set(files) == {
        "collector/config.yaml",
        "collector/overlay.yaml",
        "tempo/tempo.yaml",
        "quickwit/quickwit.yaml",
    }
    for path in files.values():
        assert path.stat().st_mode & 0o777 == 0o644
        assert path.parent.stat().st_mode & 0o777 == 0o755
        yaml.safe_load(path.read_text(encoding="utf-8"))
