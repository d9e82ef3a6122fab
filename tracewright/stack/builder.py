"""Builds what is out of date, several at a time, longest first.

A unit is up to date when the hash of its sources, commands and tool version is the one in its stamp and its
results are there. Results are laid down whole under a new name and moved into place, so a stack that runs
keeps the program it has.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tracewright.stack.errors import BuildFailed, StackBusy, StackError
from tracewright.stack.hashing import hash_files
from tracewright.stack.paths import BuildPaths
from tracewright.stack.process import tail
from tracewright.stack.state import locked
from tracewright.stack.toolchain import Toolchain
from tracewright.stack.units import UNITS, Unit

_TAIL_LINES = 25
_LOCK_PAUSE_S = 0.2
_PROGRESS_S = 5.0
# Some tools colour what they print also where nobody can see it.
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# Versions of a folder result that are kept, so that stacks which run on older ones do not lose their files.
_KEPT_VERSIONS = 3


class BuildState(StrEnum):
    """Where a unit is."""

    WAITING = "waiting"
    BUILDING = "building"
    BUILT = "built"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class BuildEvent:
    """A unit changed its state, or (state unchanged) printed a line; `seconds` counts from its start."""

    unit: str
    state: BuildState
    seconds: float = 0.0
    line: str = ""


@dataclass(frozen=True, slots=True)
class BuildResults:
    """`digests` of the results by name; `paths` (of folders, of `node`) for the table's templates."""

    digests: Mapping[str, str]
    paths: Mapping[str, str]


BuildListener = Callable[[BuildEvent], None]


def jobs_for(units: Sequence[Unit], cores: int) -> dict[str, int]:
    """How many compilers each of the units may run: a share of the cores by length, at least one.

    Shares are rounded up, so that no core idles while a long unit is alone at the end.
    """
    together = sorted(units, key=lambda unit: -unit.cold_s)[:cores]
    total = sum(unit.cold_s for unit in together) or 1
    return {unit.name: min(cores, max(1, math.ceil(cores * unit.cold_s / total))) for unit in units}


class Builder:
    """Builds units of one clone."""

    def __init__(
        self,
        paths: BuildPaths,
        *,
        units: Sequence[Unit] = UNITS,
        toolchain: Toolchain | None = None,
        listener: BuildListener = lambda event: None,
        cores: int | None = None,
    ) -> None:
        self._paths = paths
        self._units = tuple(units)
        self._tools = toolchain or Toolchain()
        self._listener = listener
        self._cores = cores or len(os.sched_getaffinity(0))
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._progress: dict[str, tuple[float, str]] = {}
        self._cancelled = threading.Event()

    async def build(self, results: Collection[str]) -> BuildResults:
        """Builds the units that are out of date and give one of these results, or have one of these names.

        Raises `BuildFailed` with the first failure, and stops the other builds. Two launchers may call it
        at the same time: the second waits for the first, and then finds everything done.
        """
        work = asyncio.ensure_future(asyncio.to_thread(self._build, self._wanted(results)))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            self.cancel()
            await asyncio.gather(work, return_exceptions=True)
            raise

    def _wanted(self, results: Collection[str]) -> list[Unit]:
        return [unit for unit in self._units if {unit.name, *unit.outputs.values()} & set(results)]

    def _build(self, wanted: Sequence[Unit]) -> BuildResults:
        hashes = {unit.name: self.hash(unit) for unit in wanted}
        if stale := self._stale(wanted, hashes):
            with self._locked(stale):
                self._build_stale(self._stale(wanted, hashes), hashes)
        digests: dict[str, str] = {}
        paths = {"node": self._tools.path("node") or "node"}
        for unit in wanted:
            digests |= self._read_stamp(unit).get("results", {})
            if unit.folder:
                folder = str(self._version_folder(unit, hashes[unit.name]))
                paths |= dict.fromkeys(unit.outputs.values(), folder)
        return BuildResults(digests, paths)

    @contextmanager
    def _locked(self, stale: Sequence[Unit]) -> Iterator[None]:
        """Waits while another launcher builds, and says so."""
        told = False
        with ExitStack() as held:
            while True:
                try:
                    held.enter_context(locked(self._paths.folder / "lock", "the builds"))
                    break
                except StackBusy as busy:
                    if not told:
                        for unit in stale:
                            self._listener(BuildEvent(unit.name, BuildState.WAITING, line=str(busy)))
                    told = True
                    if self._cancelled.wait(_LOCK_PAUSE_S):
                        raise
            yield

    def hash(self, unit: Unit) -> str:
        """What decides whether the unit is built again."""
        recipe = json.dumps([unit.commands, sorted(unit.env.items()), sorted(unit.outputs.items())])
        return hash_files(
            self._paths.root, unit.sources, (unit.name, recipe, self._tools.version_line(unit.tool))
        )

    def up_to_date(self, unit: Unit, digest: str) -> bool:
        """Whether stamp and results agree with the hash."""
        stamped = self._read_stamp(unit).get("hash") == digest
        return stamped and all(path.exists() for path in self._results(unit, digest))

    def cancel(self) -> None:
        """Stops the builds that run; `build` then raises."""
        self._cancelled.set()
        for popen in list(self._running.values()):
            _kill_group(popen)

    def _stale(self, units: Iterable[Unit], hashes: Mapping[str, str]) -> list[Unit]:
        return [unit for unit in units if not self.up_to_date(unit, hashes[unit.name])]

    def _build_stale(self, stale: Sequence[Unit], hashes: Mapping[str, str]) -> None:
        if not stale:
            return
        ordered = sorted(stale, key=lambda unit: -unit.cold_s)
        jobs = jobs_for(ordered, self._cores)
        for unit in ordered:
            self._listener(BuildEvent(unit.name, BuildState.WAITING))
        with ThreadPoolExecutor(max_workers=self._cores, thread_name_prefix="build") as pool:
            futures = [
                pool.submit(self._build_one, unit, hashes[unit.name], jobs[unit.name]) for unit in ordered
            ]
            try:
                while wait(futures, timeout=_PROGRESS_S, return_when=FIRST_EXCEPTION).not_done:
                    if any(future.done() and future.exception() for future in futures):
                        break
                    self._tell_progress()
                failed = next((future for future in futures if future.done() and future.exception()), None)
            except BaseException:
                self.cancel()
                raise
            if failed is not None:
                self.cancel()
        for future in (failed, *futures) if failed else futures:
            future.result()

    def _tell_progress(self) -> None:
        """Says again what runs: a compiler may be silent for minutes."""
        for unit, (began, line) in list(self._progress.items()):
            self._listener(BuildEvent(unit, BuildState.BUILDING, time.monotonic() - began, line))

    def _build_one(self, unit: Unit, digest: str, jobs: int) -> None:
        if self._cancelled.is_set():
            return
        began = time.monotonic()
        self._listener(BuildEvent(unit.name, BuildState.BUILDING))
        self._progress[unit.name] = (began, "")
        out = self._paths.folder / "out" / unit.name
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        self._paths.logs.mkdir(parents=True, exist_ok=True)
        log = self._paths.logs / f"{unit.name}.log"
        log.unlink(missing_ok=True)
        fill = self._fill(out, jobs)
        for command in unit.commands:
            argv = [part.format_map(fill) for part in command]
            code = self._run(unit, argv, fill, log, began)
            if self._cancelled.is_set():
                return
            if code != 0:
                del self._progress[unit.name]
                self._listener(BuildEvent(unit.name, BuildState.FAILED, time.monotonic() - began))
                raise BuildFailed(unit.name, code, tail(log, lines=_TAIL_LINES), str(log))
        del self._progress[unit.name]
        self._lay_down(unit, digest, fill)
        seconds = time.monotonic() - began
        self._write_stamp(unit, digest, seconds)
        shutil.rmtree(out, ignore_errors=True)
        self._listener(BuildEvent(unit.name, BuildState.BUILT, seconds))

    def _run(self, unit: Unit, argv: Sequence[str], fill: Mapping[str, str], log: Path, began: float) -> int:
        program = self._tools.path(argv[0]) or argv[0]
        env = self._tools.environment | {name: value.format_map(fill) for name, value in unit.env.items()}
        with log.open("ab") as written:
            written.write(f"$ {' '.join(argv)}\n".encode())
            try:
                popen = subprocess.Popen(
                    [program, *argv[1:]],
                    cwd=unit.cwd.format_map(fill),
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                written.write(f"{program}: {error}\n".encode())
                return 127
            self._running[unit.name] = popen
            if self._cancelled.is_set():
                _kill_group(popen)
            assert popen.stdout is not None
            for raw in popen.stdout:
                text = _COLOURS.sub("", raw.decode("utf-8", errors="replace"))
                written.write(text.encode())
                written.flush()
                line = text.strip()
                if line:
                    self._progress[unit.name] = (began, line)
                    self._listener(BuildEvent(unit.name, BuildState.BUILDING, time.monotonic() - began, line))
            code = popen.wait()
            del self._running[unit.name]
            return code

    def _lay_down(self, unit: Unit, digest: str, fill: Mapping[str, str]) -> None:
        for source, result in zip(unit.outputs, self._results(unit, digest), strict=True):
            path = Path(source.format_map(fill))
            if not path.exists():
                raise StackError(f"{unit.name} built without an error, but {path} is not there")
            partial = result.with_name(result.name + ".partial")
            result.parent.mkdir(parents=True, exist_ok=True)
            if unit.folder:
                shutil.rmtree(partial, ignore_errors=True)
                shutil.copytree(path, partial, symlinks=True)
                shutil.rmtree(result, ignore_errors=True)
                partial.rename(result)
                self._drop_old_versions(result.parent)
            else:
                shutil.copy2(path, partial)
                partial.replace(result)

    def _drop_old_versions(self, folder: Path) -> None:
        versions = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        for old in versions[_KEPT_VERSIONS:]:
            shutil.rmtree(old, ignore_errors=True)

    def _results(self, unit: Unit, digest: str) -> list[Path]:
        if unit.folder:
            return [self._version_folder(unit, digest)]
        return [self._paths.bin / name for name in unit.outputs.values()]

    def _version_folder(self, unit: Unit, digest: str) -> Path:
        return self._paths.folder / unit.name / digest[:12]

    def _stamp(self, unit: Unit) -> Path:
        return self._paths.folder / f"{unit.name}.json"

    def _read_stamp(self, unit: Unit) -> dict[str, Any]:
        try:
            stamp = json.loads(self._stamp(unit).read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def _write_stamp(self, unit: Unit, digest: str, seconds: float) -> None:
        names = unit.outputs.values()
        results = {name: digest if unit.folder else hash_files(self._paths.bin, [name]) for name in names}
        content = {"hash": digest, "seconds": round(seconds, 1), "results": results}
        stamp = self._stamp(unit)
        partial = stamp.with_suffix(".partial")
        partial.write_text(json.dumps(content) + "\n", encoding="utf-8")
        partial.replace(stamp)

    def _fill(self, out: Path, jobs: int) -> dict[str, str]:
        root = self._paths.root
        return {
            "root": str(root),
            "out": str(out),
            "tools": str(self._paths.tools),
            "target": os.environ.get("CARGO_TARGET_DIR", str(root / "target")),
            "jobs": str(jobs),
        }


def _kill_group(popen: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(popen.pid, 9)
    except ProcessLookupError:
        return
