"""Whether this package runs from a clone of the project, which the launcher's commands can start."""

from __future__ import annotations

from pathlib import Path

IN_CLONE = (Path(__file__).resolve().parents[2] / "Cargo.toml").is_file()
