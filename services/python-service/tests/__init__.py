"""Run by `python -m pytest services/python-service`."""
