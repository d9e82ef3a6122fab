"""Our images: what they weigh, that they run as somebody, and that nothing in them is a secret."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from e2e.compose_stack import ComposeStack
from e2e.image_secrets import findings, secrets_of

# Megabytes, as `docker images` counts.
MOST_MB = {"frontend": 200, "python-service": 200, "go-service": 40, "rust-service": 40, "prepare": 40}
# In pieces: the repository itself is searched for such things, too.
AWS_KEY = "AKIA" + "A1B2C3D4E5F6G7H8"
PRIVATE_KEY = "-----BEGIN " + "PRIVATE KEY-----\n" + "MIIEvQ" * 12


@pytest.mark.parametrize("service", MOST_MB)
def test_an_image_is_small_and_runs_as_a_user(service: str, containers: ComposeStack) -> None:
    attributes = containers.image(service).attrs
    assert attributes["Size"] < MOST_MB[service] * 1_000_000
    assert attributes["Config"]["User"] not in {"", "0", "root", "0:0"}


@pytest.mark.parametrize("service", MOST_MB)
def test_an_image_holds_no_secret(service: str, containers: ComposeStack, tmp_path: Path) -> None:
    saved = tmp_path / "image.tar"
    with saved.open("wb") as file:
        for piece in containers.image(service).save():
            file.write(piece)
    assert findings(saved, secrets_of(os.environ)) == []


def test_a_clean_image_has_no_finding(tmp_path: Path) -> None:
    bare = "a program that looks for -----BEGIN PRIVATE KEY----- in a file"
    assert findings(saved_image(tmp_path, {"app/main.js": bare}), {"SOME_TOKEN": b"12345678"}) == []


@pytest.mark.parametrize(
    ("path", "content", "finding"),
    [
        ("app/.env", "", "app/.env is a file for secrets"),
        ("root/.ssh/config", "", "root/.ssh/config is a file for secrets"),
        ("app/server.key", "", "app/server.key is a file for secrets"),
        ("app/main.js", f"key = '{AWS_KEY}'", "app/main.js holds an AWS key"),
        ("app/main.js", PRIVATE_KEY, "app/main.js holds a private key"),
        ("app/main.js", "send(12345678)", "app/main.js holds the value of SOME_TOKEN"),
    ],
)
def test_a_secret_in_a_layer_is_found(path: str, content: str, finding: str, tmp_path: Path) -> None:
    assert findings(saved_image(tmp_path, {path: content}), {"SOME_TOKEN": b"12345678"}) == [finding]


@pytest.mark.parametrize(
    ("config", "finding"),
    [
        ({"config": {"Env": ["PATH=/bin", "API_KEY=x"]}}, "its environment sets API_KEY"),
        ({"history": [{"created_by": "RUN |1 NPM_TOKEN=x npm ci"}]}, "its build sets NPM_TOKEN"),
        ({"history": [{"created_by": f"RUN login {AWS_KEY}"}]}, "its build holds an AWS key"),
    ],
)
def test_a_secret_of_the_build_is_found(config: dict[str, Any], finding: str, tmp_path: Path) -> None:
    assert findings(saved_image(tmp_path, {}, config), {}) == [finding]


def test_secrets_of_an_environment_go_by_name_and_length() -> None:
    variables = {"HOME": "/home/somebody", "DB_PASSWORD": "long enough", "CI_TOKEN": "short"}
    assert secrets_of(variables) == {"DB_PASSWORD": b"long enough"}


def saved_image(folder: Path, files: dict[str, str], config: dict[str, Any] | None = None) -> Path:
    """What `docker save` writes of an image of one layer."""
    layer = io.BytesIO()
    write(layer, {path: content.encode() for path, content in files.items()})
    manifest = [{"Config": "config.json", "Layers": ["layer.tar"]}]
    parts = {
        "manifest.json": json.dumps(manifest).encode(),
        "config.json": json.dumps(config or {}).encode(),
        "layer.tar": layer.getvalue(),
    }
    with (folder / "image.tar").open("wb") as file:
        write(file, parts)
    return folder / "image.tar"


def write(target: io.BufferedIOBase, files: dict[str, bytes]) -> None:
    with tarfile.open(fileobj=target, mode="w") as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
