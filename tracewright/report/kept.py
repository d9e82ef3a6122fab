"""What is kept of a red run: its capture, and what its browser showed."""

from __future__ import annotations

from pathlib import Path

from tracewright.contracts import archive
from tracewright.verify import Report


def keep(report: Report, folder: Path) -> list[Path]:
    """Saves the capture, and beside it `pages/<label>.jpg` and `.console.txt` of each red browser journey.

    Returns what was written of the pages. The capture is raw telemetry; the console's text is redacted.
    """
    archive.save(report.run, folder)
    red = {result.journey for result in report.results if result.verdict.red}
    written = []
    for label, page in report.pages.items():
        if label not in red:
            continue
        picture = folder / "pages" / f"{label.replace('/', '.')}.jpg"
        picture.parent.mkdir(exist_ok=True)
        picture.write_bytes(page.picture)
        console = picture.with_suffix(".console.txt")
        console.write_text("".join(report.redactor.text(line) + "\n" for line in page.console), "utf-8")
        written += [picture, console]
    return written
