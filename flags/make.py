"""Writes what is made of `faults.yaml`: `fleet.flagd.json`, and the table of README.md.

Run it after a change of the catalogue: `.venv/bin/python flags/make.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tracewright.stack.flags import SHIPPED, Fault, flagd, load_faults

FOLDER = Path(__file__).parent
BEGIN = "<!-- made of faults.yaml by `.venv/bin/python flags/make.py` -->\n"
END = "<!-- end of what is made -->"


def made(folder: Path = FOLDER) -> dict[Path, str]:
    """The text of each made file. Raises `ValueError` when README.md has lost the marks around its table."""
    catalogue = load_faults(folder.parent)
    readme = folder / "README.md"
    before, begin, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{readme} has no place for the table: {BEGIN}… {END}")
    return {
        folder / SHIPPED: flagd(catalogue),
        readme: f"{before}{begin}{table(catalogue)}\n{end}{after}",
    }


def table(catalogue: Mapping[str, Fault]) -> str:
    """The catalogue in Markdown."""
    lines = [
        "| flag | service | what it does | what people see | red, and nothing else |",
        "|---|---|---|---|---|",
    ]
    for name, fault in catalogue.items():
        red = "; ".join(
            f"{journey}: " + ", ".join(f"`{check}`" for check in checks)
            for journey, checks in fault.red.items()
        )
        everyone = " (on for everybody)" if fault.everywhere else ""
        lines.append(f"| `{name}` | {fault.service} | {fault.does} | {fault.symptom} | {red}{everyone} |")
    return "\n".join(lines)


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text, encoding="utf-8")
