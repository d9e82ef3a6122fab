"""Trace contracts: what a journey's telemetry has to be, and the judgement whether it is."""
