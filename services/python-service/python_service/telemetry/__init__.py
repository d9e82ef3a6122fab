"""Everything about telemetry that is not written at the place it describes.

`distro` is the start under `opentelemetry-instrument`, `tenant` the baggage of a request, `logs` the JSON
lines, `instruments` the metrics, `middleware` what surrounds each request.
"""
