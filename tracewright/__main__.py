"""`python -m tracewright` is the command `tracewright`."""

from tracewright.cli import app

app()
