"""Locust's image has the package and the contracts: its build has to see all that these take in."""

from __future__ import annotations

import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def test_the_build_sees_every_file_that_the_package_takes_in() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"]}
    assert needed == needed & copied()
    assert needed == needed & sent()


def test_the_image_has_the_files_that_the_contracts_name() -> None:
    contracts = ROOT / "e2e/contracts"
    catalogs = [
        name
        for file in contracts.glob("*.yaml")
        if (name := yaml.safe_load(file.read_text(encoding="utf-8")).get("metric_catalog"))
    ]
    needed = {str((contracts / name).resolve().relative_to(ROOT)) for name in catalogs}
    assert needed
    assert needed == needed & copied() & sent()


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
