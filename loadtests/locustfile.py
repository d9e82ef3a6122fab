"""People who use the fleet over HTTP: the journeys of e2e/contracts, in the shares that they declare.

Locust reads this file; `make load` starts it. The counts that it prints are of requests; an answer that a
journey expects (a 500 of `error-*`) is no failure.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from locust import FastHttpUser, between, events
from opentelemetry.trace import StatusCode

from loadtests.tracing import Tracing
from tracewright.contracts.load import load_contracts
from tracewright.contracts.model import Contract
from tracewright.endpoints import Endpoints
from tracewright.probe import filled

TENANTS = ("acme", "globex")
CONTRACTS = Path(__file__).parent.parent / "e2e" / "contracts"
# One id for the whole run: every span and log of it can be found by `test.id`.
RUN_ID = os.environ.get("TRACEWRIGHT_LOAD_ID") or f"load-{secrets.token_hex(4)}"

endpoints = Endpoints.load(Path(os.environ["TRACEWRIGHT_ENDPOINTS"]))
tracing = Tracing(endpoints.otlp_http)


class Person(FastHttpUser):
    """Somebody of one tenant who clicks, reads for a second or two, and clicks again."""

    wait_time = between(0.5, 2.0)

    def on_start(self) -> None:
        """A tenant and a session of their own."""
        self.tenant = random.choice(TENANTS)
        self.session_id = secrets.token_hex(8)

    def send(self, contract: Contract) -> None:
        """One request of one journey, under a root span of its own."""
        request = contract.http
        assert request is not None, contract.journey
        members = {"test.id": RUN_ID, "session.id": self.session_id}
        with (
            tracing.request(request.method, members) as (span, headers),
            self.client.request(
                request.method,
                f"{endpoints.base_url(request.to)}{filled(request.path, self.tenant)}",
                name=contract.journey,
                headers=headers,
                json=filled(request.json_body, self.tenant),
                catch_response=True,
            ) as answer,
        ):
            span.set_attribute("http.response.status_code", answer.status_code)
            if answer.status_code == request.status:
                answer.success()
            else:
                span.set_status(StatusCode.ERROR)
                answer.failure(f"{answer.status_code} in place of {request.status}")


def task_of(contract: Contract) -> Callable[[Person], None]:
    """The Locust task of one journey."""

    def journey(person: Person) -> None:
        person.send(contract)

    journey.__name__ = contract.journey
    return journey


# A task that stands in the list n times is chosen n times as often.
Person.tasks = [
    task
    for contract in load_contracts(CONTRACTS)
    if contract.http is not None
    for task in [task_of(contract)] * contract.load_share
]


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def flush(**_: Any) -> None:
    """The last requests' spans are exported before the process ends."""
    tracing.close()
    print(f"Every span and log of this run has test.id={RUN_ID}")
