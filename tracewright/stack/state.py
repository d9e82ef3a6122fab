"""The record of a stack's processes, by which a later launcher finds them, and the lock that keeps two
apart.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tracewright.stack.errors import StackBusy

FORMAT = 1
# How long a process may take from having the lock to having written its id into it.
_HOLDER_NAMED_S = 1.0


@dataclass(frozen=True, slots=True)
class Record:
    """One process: pid, start time (seconds since the epoch), the byte where its part of the log begins,
    and the hash of all that it was started with.
    """

    pid: int
    started: float
    log_start: int
    fingerprint: str


@dataclass(slots=True)
class StackState:
    """What runs, and on which ports. `tee` and `fast_flush` are how the stack was started."""

    ports: dict[str, int] = field(default_factory=dict)
    components: dict[str, Record] = field(default_factory=dict)
    tee: bool = False
    fast_flush: bool = False

    @classmethod
    def load(cls, path: Path) -> StackState:
        """The recorded state; an empty one when there is none or it has another format."""
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return cls()
        if not isinstance(raw, dict) or raw.pop("format", None) != FORMAT:
            return cls()
        raw["components"] = {name: Record(**record) for name, record in raw["components"].items()}
        return cls(**raw)

    def save(self, path: Path) -> None:
        """Writes the state; it appears whole or not at all."""
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps({"format": FORMAT} | asdict(self), indent=2) + "\n", encoding="utf-8")
        partial.replace(path)


@contextmanager
def locked(path: Path, subject: str) -> Iterator[None]:
    """Holds an exclusive lock, which the system releases when this process ends in any way.

    Raises `StackBusy`, naming the process that holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackBusy(subject, _holder(path)) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield
        finally:
            lock.truncate(0)


def _holder(path: Path) -> int | None:
    """Who holds the lock; `None` where it does not say so soon: it writes its id after it has the lock."""
    until = time.monotonic() + _HOLDER_NAMED_S
    while not (named := path.read_text(encoding="utf-8").strip()).isdecimal():
        if time.monotonic() > until:
            return None
        time.sleep(_HOLDER_NAMED_S / 20)
    return int(named)
