"""Grafana of the Compose stack: dashboards as code, and the tests of its files."""
