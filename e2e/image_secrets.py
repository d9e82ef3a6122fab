"""What no image may hold: keys, tokens, files that keep them, variables and build arguments named like them.

Reads what `docker save` writes: every layer, with the files that a later one removes, and how it was built.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

FILES = re.compile(
    r"(^|/)(\.env(\..+)?|\.netrc|\.npmrc|\.pypirc|\.git-credentials|id_(rsa|dsa|ecdsa|ed25519)|[^/]*\.(key|p12|pfx|jks))$"
    r"|(^|/)(\.git|\.ssh|\.aws|\.docker)/"
)
# With the beginning of what they announce: programs that handle keys hold the bare words.
CONTENTS = {
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----(\s|\\[nr])+[A-Za-z0-9+/=]{40}"),
    "an AWS key": re.compile(rb"\bAKIA[0-9A-Z]{16}\b"),
    "a GitHub token": re.compile(rb"\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})\b"),
    "an npm token": re.compile(rb"\bnpm_[A-Za-z0-9]{36}\b"),
    "a PyPI token": re.compile(rb"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}"),
    "a Slack token": re.compile(rb"\bxox[abprs]-[0-9]{8,}-[0-9A-Za-z-]{16,}"),
}
NAMES = re.compile(r"(?i)(secret|token|passw(or)?d|api_?key|credential)")
SET = re.compile(r"(\w+)=([^\s|]+)")
# Shorter values are no secrets, and would be found by chance.
LEAST_CHARACTERS = 8


def secrets_of(environment: Mapping[str, str]) -> dict[str, bytes]:
    """The values of variables that are named like secrets."""
    return {
        name: value.encode()
        for name, value in environment.items()
        if NAMES.search(name) and len(value) >= LEAST_CHARACTERS
    }


def findings(image: Path, known: Mapping[str, bytes]) -> list[str]:
    """What a saved image should not hold, one line each; values are never shown.

    `known`: secrets of the machine that has built it, by name.
    """
    with tarfile.open(image) as saved:
        manifest = json.load(_read(saved, "manifest.json"))[0]
        found = list(_in_config(json.load(_read(saved, manifest["Config"]))))
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=_read(saved, layer)) as files:
                found += _in_layer(files, known)
    return found


def _read(saved: tarfile.TarFile, name: str) -> IO[bytes]:
    file = saved.extractfile(name)
    assert file is not None, f"{name} is no file"
    return file


def _in_config(config: Mapping[str, object]) -> Iterator[str]:
    inner = config.get("config")
    variables = inner.get("Env") if isinstance(inner, Mapping) else None
    steps = config.get("history")
    texts = {
        "its environment": " ".join(variables or ()),
        "its build": " ".join(step.get("created_by", "") for step in steps)
        if isinstance(steps, list)
        else "",
    }
    for place, text in texts.items():
        yield from (f"{place} sets {name}" for name, _ in SET.findall(text) if NAMES.search(name))
        yield from (f"{place} holds {what}" for what in _kinds(text.encode()))


def _in_layer(files: tarfile.TarFile, known: Mapping[str, bytes]) -> Iterator[str]:
    for member in files:
        if FILES.search(member.name) and not member.isdir():
            yield f"{member.name} is a file for secrets"
        content = files.extractfile(member) if member.isfile() else None
        if content is None:
            continue
        text = content.read()
        yield from (f"{member.name} holds {what}" for what in _kinds(text))
        yield from (
            f"{member.name} holds the value of {name}" for name, value in known.items() if value in text
        )


def _kinds(text: bytes) -> Iterator[str]:
    return (what for what, pattern in CONTENTS.items() if pattern.search(text))
