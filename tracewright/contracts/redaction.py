"""Takes credentials out of everything that is shown: a hash stands in their place.

What counts as one: the tokens that the probes sent, whatever the check `no_secrets` detects, and the value
behind a name like `authorization`, `password` or `token`. Equal values have equal hashes, so that two places
of one leak are still recognised. A kept capture is the raw telemetry; it is not redacted.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from tracewright.contracts.checks.no_secrets import DETECTORS
from tracewright.signals import AttributeValue

_NAME = r"(?:authorization|cookie|passw(?:or)?d|passphrase|secret|token|api[-_.]?key|credentials?)"
# `tokens` is a count, and so is not in it.
SECRET_KEY = re.compile(rf"(?i)(?:^|[^a-z]|[a-z](?=[A-Z])){_NAME}$")
_ASSIGNED = re.compile(
    rf"(?i)(?P<name>{_NAME}[\"']?\s*[:=]\s*[\"']?)(?P<value>(?:(?:bearer|basic)\s+)?[^\s\"',;&}}\])]+)"
)
_HASHED = re.compile(r"^sha256:[0-9a-f]{12}$")


def hashed(secret: str) -> str:
    """`sha256:` and the first 12 digits of the hash."""
    return f"sha256:{hashlib.sha256(secret.encode()).hexdigest()[:12]}"


class Redactor:
    """`planted` are made-up tokens, to be found wherever they stand."""

    def __init__(self, planted: Iterable[str] = ()) -> None:
        self._planted = sorted({secret for secret in planted if secret}, key=len, reverse=True)
        self.text = lru_cache(maxsize=4096)(self._text)

    def _text(self, text: str) -> str:
        """The text with every credential in it replaced by its hash."""
        for secret in self._planted:
            text = text.replace(secret, hashed(secret))
        for pattern in DETECTORS.values():
            text = pattern.sub(lambda found: hashed(found[0]), text)
        return _ASSIGNED.sub(_assignment, text)

    def value(self, key: str, value: AttributeValue) -> str:
        """An attribute's value as text; all of it is replaced where the key names a credential."""
        if isinstance(value, Mapping):
            return ", ".join(f"{name}: {self.value(name, inner)}" for name, inner in value.items())
        if isinstance(value, tuple):
            return ", ".join(self.value(key, inner) for inner in value)
        text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
        if isinstance(value, str | bytes) and text and SECRET_KEY.search(key):
            return hashed(text)
        return self.text(text)


def _assignment(found: re.Match[str]) -> str:
    value = found["value"]
    return found[0] if _HASHED.match(value) else found["name"] + hashed(value)
