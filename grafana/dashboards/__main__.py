"""`python -m grafana.dashboards` writes each dashboard's JSON beside its module; `make dashboards` runs it."""

from __future__ import annotations

from pathlib import Path

from grafana.dashboards.written import FOLDER, rendered


def main() -> None:
    """Writes all files, and removes those of dashboards that are gone."""
    files = rendered()
    for path in set(FOLDER.glob("*.json")) - {FOLDER / name for name in files}:
        path.unlink()
    for name, text in files.items():
        Path(FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
