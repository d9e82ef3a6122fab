"""The dashboards, a module each; `python -m grafana.dashboards` writes their JSON beside them.

Grafana reads the JSON alone. A test fails when it is not what these modules give.
"""
