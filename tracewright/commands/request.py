"""`--request 'POST http://…'` and what belongs to it, as the `http` block of a contract."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_REQUEST = re.compile(r"^(?:(?P<method>[A-Za-z]+)\s+)?(?P<url>https?://\S+)$")


def parse_request(
    request: str, headers: Sequence[str] = (), data: str | None = None, status: int | None = None
) -> tuple[str, dict[str, Any]]:
    """The base URL, and the `http` block. Raises `ValueError`, naming option and value.

    Without a method it is POST where there is data, else GET. `data` is JSON, or `@` and a file with it.
    """
    match = _REQUEST.match(request.strip())
    if match is None:
        raise ValueError(
            f"--request {request!r}: expected a method and a URL, like 'POST http://127.0.0.1:8000/orders'"
        )
    url = urlsplit(match["url"])
    if not url.hostname:
        raise ValueError(f"--request {request!r}: the URL names no host")
    http: dict[str, Any] = {
        "method": (match["method"] or ("GET" if data is None else "POST")).upper(),
        "path": (url.path or "/") + (f"?{url.query}" if url.query else ""),
    }
    if headers:
        http["headers"] = dict(_header(header) for header in headers)
    if data is not None:
        http["json"] = read_body(data)
    if status is not None:
        http["status"] = status
    return f"{url.scheme}://{url.netloc}", http


def _header(header: str) -> tuple[str, str]:
    name, colon, value = header.partition(":")
    if not colon or not name.strip():
        # The value may be a credential, so it is not repeated.
        raise ValueError(f"--header {name.strip()[:40]!r}: expected 'Name: value'")
    return name.strip(), value.strip()


def read_body(data: str) -> Any:
    """The value of `--data`: JSON, or `@` and a file with it. Raises `ValueError`."""
    try:
        text = Path(data[1:]).read_text(encoding="utf-8") if data.startswith("@") else data
    except OSError as error:
        raise ValueError(f"--data {data}: {error.strerror}") from error
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"--data: is no JSON: {error}") from error
