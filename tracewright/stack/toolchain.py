"""Finds the tools of this machine and their versions; asks each once."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

# How each tool tells its version. `rust` is what rustc says: it decides the result, cargo does not.
VERSION_COMMANDS: Mapping[str, tuple[str, ...]] = {
    "go": ("go", "version"),
    "rust": ("rustc", "--version"),
    "cargo": ("cargo", "--version"),
    "node": ("node", "--version"),
    "npm": ("npm", "--version"),
    "cc": ("cc", "--version"),
}
# Where installers put tools that a fresh shell may not have on its PATH yet.
USUAL_FOLDERS = ("~/.cargo/bin", "/usr/local/go/bin", "~/go/bin", "/usr/local/bin")
_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


class Toolchain:
    """The tools that a PATH (default: the caller's) and the usual folders offer."""

    def __init__(
        self, environ: Mapping[str, str] | None = None, *, usual_folders: tuple[str, ...] = USUAL_FOLDERS
    ) -> None:
        self._environ = dict(os.environ if environ is None else environ)
        self._usual_folders = usual_folders
        self._lines: dict[str, str] = {}

    @cached_property
    def environment(self) -> dict[str, str]:
        """The caller's environment with the usual folders at the end of PATH."""
        return self._environ | {"PATH": self.search_path}

    @cached_property
    def search_path(self) -> str:
        """PATH with the usual folders behind it."""
        folders = [folder for folder in self._environ.get("PATH", "").split(os.pathsep) if folder]
        folders += [str(Path(folder).expanduser()) for folder in self._usual_folders]
        return os.pathsep.join(dict.fromkeys(folders))

    def path(self, program: str) -> str | None:
        """Where a program is, or `None`."""
        return shutil.which(program, path=self.search_path)

    def version_line(self, tool: str) -> str:
        """What the tool says about its version; empty when it is not there or fails."""
        if tool not in self._lines:
            self._lines[tool] = self._ask(tool)
        return self._lines[tool]

    def ask_all(self) -> None:
        """Asks every tool for its version, all at once; the answers are kept."""
        with ThreadPoolExecutor(max_workers=len(VERSION_COMMANDS)) as pool:
            list(pool.map(self.version_line, VERSION_COMMANDS))

    def version(self, tool: str) -> tuple[int, int, int] | None:
        """The version as numbers; `None` when the tool is not there or does not tell."""
        found = _VERSION.search(self.version_line(tool))
        return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None

    def _ask(self, tool: str) -> str:
        command = VERSION_COMMANDS[tool]
        program = self.path(command[0])
        if program is None:
            return ""
        try:
            done = subprocess.run(
                [program, *command[1:]],
                env=self.environment,
                cwd="/",  # a toolchain file of the folder must not start a download
                capture_output=True,
                text=True,
                check=False,
                timeout=20,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return (done.stdout or done.stderr).strip().partition("\n")[0] if done.returncode == 0 else ""
