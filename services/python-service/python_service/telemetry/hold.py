"""Holding spans and log records while the collector is away.

The exporters try again, but only within their timeout (10 s by default), which is also that of one request.
So the tries are made below them, by urllib3: until there is a connection, and an answer other than "not now".
Behind the batch that is tried the queue of the batch processor fills up.
"""

from __future__ import annotations

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

# For two minutes at least: a second apart, but for the first few.
HOLD_S = 120
PAUSE_S = 1.0
TRIES = 125
# What OTLP calls retryable.
NOT_NOW = (429, 502, 503, 504)


def holding_session(tries: int = TRIES, pause_s: float = PAUSE_S) -> requests.Session:
    """A session for one OTLP exporter. It repeats no request that may have been taken: without an answer."""
    retries = Retry(
        total=None,
        connect=tries,
        read=False,
        status=tries,
        other=False,
        redirect=0,
        allowed_methods=None,
        status_forcelist=NOT_NOW,
        raise_on_status=False,
        backoff_factor=pause_s / 10,
        backoff_max=pause_s,
        retry_after_max=HOLD_S,
    )
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retries))
    return session
