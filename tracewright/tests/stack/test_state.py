"""The record of processes and the lock."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tracewright.stack.errors import StackBusy
from tracewright.stack.state import Record, StackState, locked


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    state = StackState({"WEB_PORT": 3001}, {"web": Record(7, 1000.5, 42, "abc")}, tee=True)
    state.save(tmp_path / "state.json")
    assert StackState.load(tmp_path / "state.json") == state


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 0}', '{"format": 2, "ports": {}}'])
def test_a_record_that_cannot_be_read_is_an_empty_one(tmp_path: Path, content: str) -> None:
    (tmp_path / "state.json").write_text(content)
    assert StackState.load(tmp_path / "state.json") == StackState()


def test_a_missing_record_is_an_empty_one(tmp_path: Path) -> None:
    assert StackState.load(tmp_path / "state.json") == StackState()


def test_the_lock_names_its_holder_and_is_free_after_the_block(tmp_path: Path) -> None:
    with locked(tmp_path / "lock", "the stack"):
        with pytest.raises(StackBusy) as caught, locked(tmp_path / "lock", "the stack"):
            pass
        assert caught.value.pid == os.getpid()
        assert str(caught.value) == f"another launcher (pid {os.getpid()}) works on the stack"
    with locked(tmp_path / "lock", "the stack"):
        pass
