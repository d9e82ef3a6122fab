"""Grafana's files without Grafana: what each panel, variable, link and rule asks, and whether it is answered.

The queries go to the backends as Grafana's data sources send them, with Grafana's variables and macros filled
in. Nothing here needs a running Grafana.
"""

from tracewright.grafana.answers import Answered
from tracewright.grafana.live import ask_everything

__all__ = ["Answered", "ask_everything"]
