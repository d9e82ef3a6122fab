"""From a row of the table to a command: fills the templates, hashes all that a component is started with."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tracewright.stack import postgres
from tracewright.stack.component import Component, RunAs, Variables
from tracewright.stack.hashing import hash_files
from tracewright.stack.paths import StackPaths
from tracewright.stack.process import COMPONENT_MARKER, MARKER, Launch
from tracewright.stack.settings import INHERITED, child_environment

# Stands in a command's environment for what is new at each start; a fingerprint sees the placeholder.
INSTANCE = "{instance}"


def run_as(component: Component, paths: StackPaths) -> RunAs | None:
    """The user that the component must run as, or `None` for the launcher's own."""
    return postgres.place(paths).run_as if component.never_root else None


def launch(
    component: Component, paths: StackPaths, variables: Variables, settings: Mapping[str, str]
) -> Launch:
    """The component's command with everything filled in."""

    def fill(template: str) -> str:
        return template.format_map(variables)

    env = child_environment(settings)
    env |= {name: fill(value) for name, value in component.env.items()}
    env |= {MARKER: str(paths.folder), COMPONENT_MARKER: component.name}
    return Launch(
        argv=tuple(fill(part) for part in component.command),
        env=env,
        cwd=Path(fill(component.cwd)),
        log=paths.logs / component.log_name,
        run_as=run_as(component, paths),
    )


def as_instance(command: Launch) -> Launch:
    """The command of one start, with an id of its own.

    `service.instance.id` has to tell processes apart, also one from its successor: counters of both under one
    name would look like one that fell (OpenTelemetry semantic conventions, service resource).
    """
    instance = secrets.token_hex(4)
    return replace(
        command, env={name: value.replace(INSTANCE, instance) for name, value in command.env.items()}
    )


def fingerprint(component: Component, command: Launch, digests: Mapping[str, str], root: Path) -> str:
    """A hash of command, environment (without the caller's basics), program and files."""
    env = {name: value for name, value in command.env.items() if name not in INHERITED}
    parts = (
        json.dumps([command.argv, sorted(env.items())]),
        digests.get(component.build, "") if component.build else "",
        hash_files(root, component.inputs),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
