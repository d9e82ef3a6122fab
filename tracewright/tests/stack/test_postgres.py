"""PostgreSQL itself: made, started, kept over a restart, sheltered where `nobody` cannot reach the clone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracewright.stack import postgres
from tracewright.stack.component import RunAs
from tracewright.stack.database import DatabaseError, connect
from tracewright.stack.errors import StackError
from tracewright.stack.fleet import fleet
from tracewright.stack.paths import StackPaths
from tracewright.stack.ports import port_variables
from tracewright.stack.stack import Stack
from tracewright.tests.stack.fakes import make_stack

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="PostgreSQL runs as another user only under root")


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    """A folder with what PostgreSQL's component needs of a clone."""
    names = port_variables(fleet())
    (tmp_path / ".env").write_text("".join(f"{name}={22_000 + i}\n" for i, name in enumerate(names)))
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "schema.sql").write_text("CREATE TABLE IF NOT EXISTS notes (text text);\n")
    yield tmp_path
    postgres.remove_data(StackPaths(tmp_path, "test"))


@pytest.fixture
def closed_clone(clone: Path) -> Path:
    """A clone in a folder that only its owner may enter."""
    clone.chmod(0o700)
    return clone


def database(clone: Path) -> Stack:
    return make_stack(clone, fleet(), name="test", free_ports=True, components=("postgres",), keep_data=True)


async def test_rows_outlive_a_restart_and_a_kill(clone: Path) -> None:
    async with database(clone) as stack:
        url = stack.variables["postgres_url"]
        async with connect(url) as connection:
            await connection.run("INSERT INTO notes VALUES ('kept')")
        await stack.kill("postgres")
        await stack.start_component("postgres")
        async with connect(url) as connection:
            assert await connection.value("SELECT text FROM notes") == "kept"
    async with database(clone) as stack, connect(stack.variables["postgres_url"]) as connection:
        assert await connection.value("SELECT text FROM notes") == "kept"


async def test_it_wants_the_password(clone: Path) -> None:
    async with database(clone) as stack:
        url = stack.variables["postgres_url"].replace(":tracewright@", ":wrong@")
        with pytest.raises(DatabaseError, match="password authentication failed"):
            async with connect(url):
                pass


async def test_a_wrong_schema_is_named_with_what_the_server_says(clone: Path) -> None:
    (clone / "postgres" / "schema.sql").write_text("CREATE TABEL notes ();")
    with pytest.raises(
        StackError, match=r'postgres/schema\.sql was refused: syntax error at or near "TABEL"'
    ):
        await database(clone).__aenter__()


@root_only
async def test_under_root_it_is_sheltered_where_nobody_cannot_reach_the_clone(closed_clone: Path) -> None:
    async with database(closed_clone) as stack:
        shelter = shelter_of(stack)
        assert shelter is not None
        assert not shelter.is_relative_to(closed_clone)
        child = stack.child("postgres")
        assert child is not None
        assert all(process.uids().real != 0 for process in child.tree())
    postgres.remove_data(stack.paths)
    assert shelter_of(stack) is None
    assert is_gone(shelter)


def is_gone(path: Path) -> bool:
    return not path.exists()


def shelter_of(stack: Stack) -> Path | None:
    link = stack.paths.data / "postgres"
    return link.resolve() if link.is_symlink() else None


@root_only
async def test_a_shelter_without_its_link_belongs_to_nobody_and_is_made_anew(closed_clone: Path) -> None:
    async with database(closed_clone) as stack, connect(stack.variables["postgres_url"]) as connection:
        await connection.run("INSERT INTO notes VALUES ('old')")
    shutil.rmtree(stack.paths.folder)
    async with database(closed_clone) as stack, connect(stack.variables["postgres_url"]) as connection:
        assert await connection.value("SELECT count(*) FROM notes") == 0


@root_only
def test_data_that_nobody_can_reach_no_more_is_not_thrown_away(closed_clone: Path) -> None:
    paths = StackPaths(closed_clone, "test")
    paths.make()
    (paths.data / "postgres").mkdir()
    with pytest.raises(StackError, match="holds data, but 'nobody'"):
        postgres._prepare(paths, postgres.place(paths))


@root_only
def test_no_reachable_shelter_is_said(closed_clone: Path) -> None:
    closed = closed_clone / "closed"
    with pytest.raises(StackError, match="can reach none of"):
        postgres.place(StackPaths(closed_clone, "test"), shelters=[closed])


def test_reachability_is_read_from_every_folder_above(tmp_path: Path) -> None:
    somebody = RunAs(54_321, 54_321)
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "a").chmod(0o700)
    assert not postgres.reachable(inner, somebody)
    owner = tmp_path.stat()
    assert postgres.reachable(Path("/usr/bin"), RunAs(owner.st_uid, owner.st_gid))
