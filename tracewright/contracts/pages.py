"""The pages of the checks, made of their docstrings: `python -m tracewright.contracts.pages FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from tracewright.contracts.checks import CHECKS, Check

COMMAND = "make docs"
NOTE = f"<!-- Written by `{COMMAND}` from the docstrings in tracewright/contracts/checks. -->\n\n"


def page(check: Check) -> str:
    """One check's page."""
    return f"""{NOTE}# `{check.id}`

{check.title}

## Why

{check.why}

## Rule

{_sentence(check.rule)}

## When it fails

The usual cause: {check.usual_cause}

The message names what is wrong, what was expected and what was seen, and marks the place in the trace or in
the table of both sides. The check's source is
[`{check.id}.py`](../../tracewright/contracts/checks/{check.id}.py); the broken captures that it has to catch
are in [`test_{check.id}.py`](../../tracewright/tests/contracts/checks/test_{check.id}.py).

## Alone

```
pytest e2e/contracts --tracewright-checks {check.id}
tracewright verify e2e/contracts/agent-run.yaml --replay test-results/captures --checks {check.id}
```
"""


def index() -> str:
    """The list of all pages."""
    rows = "\n".join(f"| [`{check.id}`]({check.id}.md) | {check.title} |" for check in CHECKS.values())
    return f"{NOTE}# The checks\n\n| check | holds when |\n|---|---|\n{rows}\n"


def pages() -> dict[str, str]:
    """All files of the folder by name."""
    return {"README.md": index(), **{f"{check.id}.md": page(check) for check in CHECKS.values()}}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def main(folder: Path) -> None:
    """Writes the folder anew; a page whose check is gone goes, too."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for path in folder.glob("*.md"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
