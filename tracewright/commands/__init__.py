"""The harness' commands: each translates options into calls, and results into text and an exit code."""
