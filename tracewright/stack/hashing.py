"""A hash of what a result is made from, so that nothing is made twice."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

# Made by tools, not by people: never part of what decides a build.
IGNORED_FOLDERS = frozenset(
    {
        "node_modules",
        "target",
        "__pycache__",
        "test-results",
        "coverage",
        "tests",
        "testdata",
        "e2e",
        ".next",
        ".git",
    }
)
IGNORED_SUFFIXES = ("_test.go", ".test.ts", ".test.tsx", ".md", ".tsbuildinfo", "next-env.d.ts", "Dockerfile")


def source_files(root: Path, inputs: Iterable[str]) -> Iterator[Path]:
    """The files that the inputs name (a file, or a folder with all below), without tests and what tools made.

    An input that is not there gives nothing: its absence is part of the hash by its name.
    """
    for name in sorted(inputs):
        path = root / name
        if path.is_file():
            yield path
            continue
        for folder, folders, files in os.walk(path):
            folders[:] = sorted(name for name in folders if name not in IGNORED_FOLDERS)
            for file in sorted(files):
                if not file.endswith(IGNORED_SUFFIXES):
                    yield Path(folder, file)


def hash_files(root: Path, inputs: Iterable[str], extra: Iterable[str] = ()) -> str:
    """A hash of names and contents of the inputs, and of the extra lines (tool versions, commands)."""
    digest = hashlib.blake2b(digest_size=16)
    names = sorted(inputs)
    for line in (*names, *extra):
        digest.update(line.encode() + b"\0")
    for path in source_files(root, names):
        digest.update(str(path.relative_to(root)).encode() + b"\0")
        digest.update(hashlib.blake2b(path.read_bytes(), digest_size=16).digest())
    return digest.hexdigest()
