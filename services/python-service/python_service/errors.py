"""What can go wrong, and what a client is told about it.

    ServiceError
    ├── NotFound                a tenant, an agent or a path that does not exist: 404
    ├── Conflict                the run id belongs to another question: 409
    └── DependencyError         PostgreSQL or rust-service did not serve
        ├── DependencyUnavailable   down, or did not answer in time: 503
        ├── DependencyFailed        answered with an error of its own: 502
        ├── DependencyRefused       answered that the request is wrong: its 4xx, passed on
        └── QueryFailed             PostgreSQL did not accept what this service asked: 500

`detail` is what a client reads. The cause is chained (`raise … from`), logged with the trace id, and never
sent.
"""

from __future__ import annotations

from http import HTTPStatus


class ServiceError(Exception):
    """An expected failure with a status of its own."""

    status: int = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFound(ServiceError):
    """Raised when the request names something that does not exist."""

    status = HTTPStatus.NOT_FOUND


class Conflict(ServiceError):
    """Raised when a run id is used again for another request."""

    status = HTTPStatus.CONFLICT


class DependencyError(ServiceError):
    """Raised when something that this service calls did not serve.

    `recorded`: a span has the exception event already, the client span here or the server span there.
    """

    def __init__(self, dependency: str, detail: str, *, recorded: bool = False) -> None:
        super().__init__(f"{dependency} {detail}")
        self.dependency = dependency
        self.recorded = recorded


class DependencyUnavailable(DependencyError):
    """Raised when a dependency is down or does not answer in time."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


class DependencyFailed(DependencyError):
    """Raised when a dependency answers with a 5xx, or with something that is not its contract."""

    status = HTTPStatus.BAD_GATEWAY


class DependencyRefused(DependencyError):
    """Raised when a dependency answers with a 4xx."""

    def __init__(self, dependency: str, status: int) -> None:
        super().__init__(dependency, f"refused the request with {status}", recorded=True)
        self.status = status


class QueryFailed(DependencyError):
    """Raised when PostgreSQL refuses a query: a defect of this service or of the schema."""
