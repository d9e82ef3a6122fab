"""Names what this machine lacks, and the command that gets it."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tracewright.stack import postgres
from tracewright.stack.errors import MissingTools, StackError
from tracewright.stack.toolchain import Toolchain

GIB = 1024**3
# Sources and caches of all builds, results, and a day of data.
NEEDED_GIB = 8
# What a warm start needs: the builds are there already.
NEEDED_WARM_GIB = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """One prerequisite: what was found, whether it will do, and (if not) the command that gets it."""

    name: str
    found: str
    ok: bool
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool with its least version and the command that gets it."""

    label: str
    key: str
    least: tuple[int, int]
    remedy: str


TOOLS = (
    Tool("Go", "go", (1, 26), "https://go.dev/dl/ (unpack to /usr/local/go), or: brew install go"),
    Tool("Rust", "rust", (1, 95), "rustup update stable, or from https://rustup.rs"),
    Tool("Cargo", "cargo", (1, 95), "rustup update stable, or from https://rustup.rs"),
    Tool("Node.js", "node", (20, 9), "https://nodejs.org/en/download (20.9 or later), or: brew install node"),
    Tool("npm", "npm", (9, 0), "comes with Node.js; on Debian: sudo apt-get install npm"),
)


def examine(
    root: Path,
    toolchain: Toolchain | None = None,
    *,
    free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
    python: tuple[int, int, int] = sys.version_info[:3],
) -> list[Finding]:
    """Every prerequisite, in the order in which people should look at them."""
    tools = toolchain or Toolchain()
    tools.ask_all()
    built = (root / ".tracewright" / "build" / "bin").is_dir()
    return [
        _python(python),
        *(_tool(tools, tool) for tool in TOOLS),
        _compiler(tools),
        _postgres(),
        _disk(root, free_bytes(root), NEEDED_WARM_GIB if built else NEEDED_GIB),
    ]


def require(findings: list[Finding]) -> None:
    """Raises `MissingTools` that names each finding that will not do."""
    bad = [finding for finding in findings if not finding.ok]
    if bad:
        raise MissingTools(
            "\n".join(f"{bad_one.name}: {bad_one.found}. Get it: {bad_one.remedy}" for bad_one in bad)
        )


def _python(version: tuple[int, int, int]) -> Finding:
    found = ".".join(map(str, version))
    return Finding(
        "Python", found, version >= (3, 11, 0), "https://www.python.org/downloads/ (3.11 or later)"
    )


def _tool(tools: Toolchain, tool: Tool) -> Finding:
    version = tools.version(tool.key)
    least = ".".join(map(str, tool.least))
    if version is None:
        return Finding(tool.label, f"not found (needs {least} or later)", False, tool.remedy)
    found = ".".join(map(str, version))
    if version[:2] < tool.least:
        return Finding(tool.label, f"{found} is too old (needs {least} or later)", False, tool.remedy)
    return Finding(tool.label, found, True)


def _compiler(tools: Toolchain) -> Finding:
    # Rust's linker; Go's programs are built without one.
    line = tools.version_line("cc")
    remedy = (
        "xcode-select --install" if platform.system() == "Darwin" else "sudo apt-get install build-essential"
    )
    return Finding(
        "C compiler", line or "not found (Rust links with `cc`)", bool(line), "" if line else remedy
    )


def _postgres() -> Finding:
    try:
        install = postgres.wheel_install()
    except StackError as error:
        return Finding("PostgreSQL", str(error), False, "uv sync --all-packages --all-extras")
    ok = (install / "bin" / "postgres").is_file()
    found = "from the wheel" if ok else f"{install} has no programs"
    return Finding("PostgreSQL", found, ok, "" if ok else "uv sync --all-packages --all-extras --reinstall")


def _disk(root: Path, free: int, needed_gib: int) -> Finding:
    ok = free >= needed_gib * GIB
    found = f"{free / GIB:.0f} GiB free" if ok else f"{free / GIB:.1f} GiB free (needs {needed_gib} GiB)"
    return Finding("Disk space", found, ok, "" if ok else f"make room on the disk of {root}")
