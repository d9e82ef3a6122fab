"""One child process: start it in its own session, find it again after a crash of the launcher, end its
whole tree.

A process is known by pid *and* start time, so a number that the system gave to somebody else is never taken
for ours. Each child carries `TRACEWRIGHT_STACK=<folder of the stack>` in its environment: by it `marked`
finds processes that no record names.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from tracewright.stack.component import RunAs

MARKER = "TRACEWRIGHT_STACK"
COMPONENT_MARKER = "TRACEWRIGHT_COMPONENT"
# Start times come from the kernel's clock ticks; two reads of one process differ by less than this.
_SAME_START_S = 0.05
_POLL_S = 0.05
_LOG_LIMIT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Launch:
    """A command with everything filled in."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    log: Path
    run_as: RunAs | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of a process tree. `pss` shares common pages out among their users; `None` where that is
    hidden.
    """

    rss: int
    pss: int | None


class Process:
    """A running or ended child. `log_start` is the size of its log when it began: what follows is its own."""

    def __init__(
        self, pid: int, started: float, *, popen: subprocess.Popen[bytes] | None = None, log_start: int = 0
    ) -> None:
        self.pid = pid
        self.started = started
        self.log_start = log_start
        self._popen = popen

    @classmethod
    def spawn(cls, launch: Launch) -> Process:
        """Starts the command in its own session, output to its log. Raises `OSError` if it cannot be run."""
        launch.log.parent.mkdir(parents=True, exist_ok=True)
        _rotate(launch.log)
        with launch.log.open("ab") as log:
            log_start = log.tell()
            popen = subprocess.Popen(
                launch.argv,
                env=dict(launch.env),
                cwd=launch.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=launch.run_as.uid if launch.run_as else None,
                group=launch.run_as.gid if launch.run_as else None,
                extra_groups=[] if launch.run_as else None,
            )
        # A child that has already ended is a zombie until it is waited for, so its start time can be read.
        return cls(popen.pid, psutil.Process(popen.pid).create_time(), popen=popen, log_start=log_start)

    @classmethod
    def find(cls, pid: int, started: float, *, log_start: int = 0) -> Process | None:
        """The recorded process if it is still the same one and alive."""
        process = cls(pid, started, log_start=log_start)
        return process if process.alive else None

    @property
    def alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        if self._popen is not None:
            return self._popen.poll() is None
        return _handle(self.pid, self.started) is not None

    @property
    def exit_code(self) -> int | None:
        """The exit code (negative: a signal's number); `None` while it runs or where it was not our child."""
        return self._popen.poll() if self._popen is not None else None

    async def wait(self) -> int | None:
        """Waits until it has ended; its exit code as in `exit_code`."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except (AttributeError, OSError):  # not Linux, or already gone
            while self.alive:  # noqa: ASYNC110 - nothing tells us, so we ask
                await asyncio.sleep(_POLL_S)
            return self.exit_code
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        try:
            if self.alive:
                loop.add_reader(descriptor, ended.set)
                await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
        return self.exit_code

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the process itself; nothing happens when it has ended."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def tree(self) -> list[psutil.Process]:
        """It and its living descendants and group members, itself first."""
        found: dict[int, psutil.Process] = {}
        leader = _handle(self.pid, self.started)
        if leader is not None:
            found[leader.pid] = leader
            with contextlib.suppress(psutil.Error):
                found |= {child.pid: child for child in leader.children(recursive=True)}
        for process in psutil.process_iter():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if process.pid not in found and os.getpgid(process.pid) == self.pid:
                    found[process.pid] = process
        return [process for process in found.values() if lives(process)]

    def memory(self) -> Memory:
        """What the whole tree has in memory now."""
        rss = 0
        pss: int | None = 0
        for process in self.tree():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                rss += process.memory_info().rss
                try:
                    share = process.memory_full_info().pss
                except (psutil.AccessDenied, AttributeError):
                    pss = None
                else:
                    pss = None if pss is None else pss + share
        return Memory(rss, pss)


def marked(folder: Path) -> list[psutil.Process]:
    """Living processes that carry the marker of the stack in this folder, other than this one."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARKER) == str(folder) and lives(process):
                found.append(process)
    return found


async def end(processes: Iterable[psutil.Process], *, grace_s: float) -> list[psutil.Process]:
    """Waits for the processes to go and kills what is left after the grace; returns those it had to kill."""
    left = await gone(processes, timeout_s=grace_s)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    await gone(left, timeout_s=5.0)
    return left


async def gone(processes: Iterable[psutil.Process], *, timeout_s: float) -> list[psutil.Process]:
    """Waits until the processes have ended; those that still live after the timeout."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    left = [process for process in processes if lives(process)]
    while left and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.02)
        left = [process for process in left if lives(process)]
    return left


def tail(path: Path, *, lines: int = 15, start: int = 0) -> tuple[str, ...]:
    """The last lines of a log from byte `start` on; empty when there is none."""
    try:
        with path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(start if start <= size else 0, size - 64 * 1024))
            text = log.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ()
    return tuple(line.rstrip() for line in text.splitlines() if line.strip())[-lines:]


def exit_reason(code: int | None) -> str:
    """An exit code in words."""
    if code is None:
        return "ended"
    if code < 0:
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"
    return f"ended with exit code {code}"


def _rotate(log: Path) -> None:
    """Keeps one older log of a component that has written much."""
    if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".old.log"))


def _handle(pid: int, started: float) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < _SAME_START_S
    except psutil.NoSuchProcess:
        return None
    return process if same and lives(process) else None


def lives(process: psutil.Process) -> bool:
    """Whether a process still runs; one that only waits for its parent to collect it does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
