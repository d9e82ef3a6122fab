"""Trace contracts: proves that traces, logs and metrics are complete and agree."""
