"""What can go wrong while a stack is built, started or stopped.

    StackError
    ├── SettingsError      .env or the environment lacks or spells a value wrongly
    ├── MissingTools       doctor found something missing
    ├── BuildFailed        one build unit did not compile
    ├── PortTaken          somebody else listens where a component should
    ├── StackBusy          another launcher holds this stack
    └── ComponentFailed    a component died or did not become ready

Each message says what was expected, what came, and where to look; the console prints it as it is.
"""

from __future__ import annotations

from dataclasses import dataclass


class StackError(Exception):
    """The stack cannot do what was asked; the message is for people."""


class SettingsError(StackError):
    """A setting is missing or has no usable value."""


class MissingTools(StackError):
    """A prerequisite is missing or too old."""


@dataclass
class StackBusy(StackError):
    """Another launcher works on `subject`; `pid` is its process, where it is known."""

    subject: str
    pid: int | None

    def __str__(self) -> str:
        return f"another launcher (pid {self.pid or 'unknown'}) works on {self.subject}"


class PortTaken(StackError):
    """A port that a component needs is held by a process outside this stack."""


@dataclass
class BuildFailed(StackError):
    """A build unit failed; `tail` holds the last lines of its output."""

    unit: str
    exit_code: int
    tail: tuple[str, ...]
    log: str

    def __str__(self) -> str:
        lines = "\n".join(f"    {line}" for line in self.tail)
        return f"{self.unit} did not build (exit code {self.exit_code}). Whole output: {self.log}\n{lines}"


@dataclass
class ComponentFailed(StackError):
    """A component died, or was not ready in time; `tail` holds the last lines of its log."""

    component: str
    reason: str
    tail: tuple[str, ...]
    log: str

    def __str__(self) -> str:
        lines = "\n".join(f"    {line}" for line in self.tail) or "    (it wrote nothing)"
        return f"{self.component} {self.reason}. Its log: {self.log}\n{lines}"
