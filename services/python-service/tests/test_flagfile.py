"""The flag file: whom a flag is for, a change while it is watched, and files that cannot be used."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import TypeMismatchError
from python_service.flagfile import FlagFile, FlagFileError

FOR_ACME = {"if": [{"in": [{"var": "tenant"}, ["acme"]]}, "on", "off"]}


def written(path: Path, default: str = "off", **changes: Any) -> Path:
    """One flag, put in the place of what was there, as who switches flags does."""
    flag = {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": default,
        "metadata": {"service": "python-service"},
        **changes,
    }
    return replaced(path, json.dumps({"flags": {"broken": flag}}))


def replaced(path: Path, text: str) -> Path:
    new = path.with_suffix(".new")
    new.write_text(text)
    return new.replace(path)


def is_on(flags: FlagFile, **subject: str) -> bool:
    return flags.resolve_boolean_details("broken", False, EvaluationContext(attributes=subject)).value


def eventually(happened: Callable[[], bool]) -> None:
    deadline_s = monotonic() + 60
    while not happened():
        assert monotonic() < deadline_s, "not within 60 s"
        sleep(0.01)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[FlagFile]:
    flags = FlagFile(written(tmp_path / "flags.json"))
    flags.initialize(EvaluationContext())
    yield flags
    flags.shutdown()


def test_flag_is_for_those_it_targets(tmp_path: Path) -> None:
    flags = FlagFile(written(tmp_path / "flags.json", targeting=FOR_ACME))
    assert is_on(flags, tenant="acme")
    assert not is_on(flags, tenant="globex")
    assert not is_on(flags)


@pytest.mark.parametrize(
    "text",
    [
        '{"flags": ',
        "{}",
        '{"flags": []}',
        '{"flags": {"broken": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "off"}}}',
        '{"flags": {"broken": {"state": "PERHAPS", "variants": {"on": true}, "defaultVariant": "on"}}}',
        '{"flags": {"broken": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on",'
        ' "targeting": {"perhaps": [1]}}}}',
    ],
)
def test_unusable_file_is_named_at_the_start(text: str, tmp_path: Path) -> None:
    with pytest.raises(FlagFileError, match=r"flags\.json"):
        FlagFile(replaced(tmp_path / "flags.json", text))


def test_missing_file_is_named_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(FlagFileError, match=r"gone\.json"):
        FlagFile(tmp_path / "gone.json")


def test_change_is_seen_and_a_broken_file_changes_nothing(
    watched: FlagFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = tmp_path / "flags.json"
    written(path, "on")
    # What is waited for is the last that the other thread does: it logs after it has switched.
    eventually(lambda: len(caplog.messages) == 1)
    assert is_on(watched)
    replaced(path, "{")
    eventually(lambda: len(caplog.messages) == 2)
    path.unlink()
    eventually(lambda: len(caplog.messages) == 3)
    assert is_on(watched)
    written(path)
    eventually(lambda: len(caplog.messages) == 4)
    assert not is_on(watched)
    told = "flags not read; the last ones stay"
    assert caplog.messages == ["flags read", told, told, "flags read"]


def test_change_right_after_the_reading_is_seen(tmp_path: Path) -> None:
    flags = FlagFile(written(tmp_path / "flags.json"))
    written(tmp_path / "flags.json", "on")
    flags.initialize(EvaluationContext())
    try:
        eventually(lambda: is_on(flags))
    finally:
        flags.shutdown()


def test_flag_is_boolean_only(tmp_path: Path) -> None:
    flags = FlagFile(written(tmp_path / "flags.json"))
    for resolve in (
        lambda: flags.resolve_string_details("broken", "x"),
        lambda: flags.resolve_integer_details("broken", 1),
        lambda: flags.resolve_float_details("broken", 1.0),
        lambda: flags.resolve_object_details("broken", {}),
    ):
        with pytest.raises(TypeMismatchError):
            resolve()
