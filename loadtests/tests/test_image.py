"""Locust's image installs the package, so its build has to see every file that the package takes in."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_build_sees_every_file_that_the_package_takes_in() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"]}
    assert needed == needed & copied()
    assert needed == needed & sent()


def copied() -> set[str]:
    """What the Dockerfile copies from the repository."""
    lines = (ROOT / "loadtests/Dockerfile").read_text(encoding="utf-8").splitlines()
    words = [line.split() for line in lines if line.startswith("COPY ") and "--from=" not in line]
    return {source for _, *sources, _ in words for source in sources}


def sent() -> set[str]:
    """What the build is given, of a list that excludes all else."""
    lines = (ROOT / "loadtests/Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    return {line.removeprefix("!") for line in lines if line.startswith("!")}
