"""A collector, Tempo and Quickwit in containers, for a test run with Docker and nothing else.

    with ContainerStack() as stack:
        start_services(OTEL_EXPORTER_OTLP_ENDPOINT=stack.endpoints.otlp_http)
        verify(replace(stack.endpoints, frontend="http://127.0.0.1:8000"), plans, contracts=contracts)

Needs `pip install 'tracewright[containers]'`.
"""

from tracewright.containers.settings import Images
from tracewright.containers.stack import ContainersMissing, ContainerStack

__all__ = ["ContainerStack", "ContainersMissing", "Images"]
