"""The agent runtime of the Tracewright fleet."""
