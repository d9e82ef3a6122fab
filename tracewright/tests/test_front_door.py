from __future__ import annotations

import inspect

import tracewright


def test_everything_in_the_front_door_is_documented_and_ours() -> None:
    for name in tracewright.__all__:
        exported = getattr(tracewright, name)
        assert inspect.getdoc(exported), name
        assert exported.__module__.startswith("tracewright."), name


def test_front_door_shows_nothing_else() -> None:
    public = {
        name
        for name, value in vars(tracewright).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public == set(tracewright.__all__)
