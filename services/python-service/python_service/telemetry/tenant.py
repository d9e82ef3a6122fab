"""Whose request this is, and which test or session it belongs to: three keys of W3C baggage, and no others.

They travel to the next hop, and are copied to each span and log record. On metrics only the tenant is used,
and only one that exists.
"""

from __future__ import annotations

from opentelemetry import baggage, context, trace

TENANT = "tenant.id"
COPIED_KEYS = frozenset({TENANT, "test.id", "session.id"})
UNKNOWN = "unknown"


def is_copied(key: str) -> bool:
    """Whether a key of baggage goes on spans and log records."""
    return key in COPIED_KEYS


def copied_baggage() -> dict[str, str]:
    """What the current context says of the copied keys."""
    return {key: str(value) for key, value in baggage.get_all().items() if key in COPIED_KEYS}


def current_tenant() -> str | None:
    """The tenant that the current request names; it may not exist."""
    value = baggage.get_baggage(TENANT)
    return value if isinstance(value, str) and value else None


def bind_tenant(tenant_id: str) -> None:
    """Make this the tenant of the current request, from here to its end.

    To be called inside the server span, with a tenant that exists. The token is not kept: a request runs in a
    context of its own, and FastAPI restores the one before it.
    """
    trace.get_current_span().set_attribute(TENANT, tenant_id)
    context.attach(baggage.set_baggage(TENANT, tenant_id))


class KnownTenants:
    """The tenants that may be a label of a metric, so that a caller cannot make series by inventing names."""

    def __init__(self) -> None:
        self._ids: set[str] = set()

    def add(self, *tenant_ids: str) -> None:
        """The database has these."""
        self._ids.update(tenant_ids)

    def __contains__(self, tenant_id: object) -> bool:
        return tenant_id in self._ids

    def label(self, tenant_id: str | None) -> str | None:
        """What goes on a metric: the tenant, `unknown` if there is no such one, `None` if none is named."""
        if tenant_id is None:
            return None
        return tenant_id if tenant_id in self._ids else UNKNOWN
