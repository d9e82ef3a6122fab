"""A run told to people and to CI: an HTML page, and annotations at the contracts' lines.

Nothing here judges; it shows what `tracewright.verify.Report` holds, without any credential in it.
"""

from tracewright.report.annotations import github_annotations
from tracewright.report.kept import keep
from tracewright.report.page import Links, write_page

__all__ = ["Links", "github_annotations", "keep", "write_page"]
