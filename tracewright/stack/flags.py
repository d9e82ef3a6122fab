"""Telemetry faults: what there is of them, and switching them in one stack.

The catalogue is `flags/faults.yaml`. Each stack has a flag file of its own (flagd's format), which the fleet
reads again when it changes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tracewright.stack.errors import StackError
from tracewright.stack.paths import StackPaths

# By which a service is told its flag file.
VARIABLE = "FLAGS_FILE"
FOLDER = "flags"
CATALOGUE = "faults.yaml"
SHIPPED = "fleet.flagd.json"
SCHEMA = "https://flagd.dev/schema/v0/flags.json"


class FlagsError(StackError):
    """A flag or its file cannot be used; the message says which and what to do."""


class Fault(BaseModel):
    """One deliberate defect. `red` is exact: by journey, the checks that fail while it is on, and no others.

    `everywhere` says that one of the checks compares a whole run (counts, the service graph), so that the
    table is exact only when the flag is on for everybody.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    service: str
    does: str
    symptom: str
    red: dict[str, list[str]] = Field(min_length=1)
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Switch:
    """For whom a flag is on: these tenants and these tests (`test.id`); everybody when both are empty."""

    tenants: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()

    def __str__(self) -> str:
        named = [f"tenant {name}" for name in self.tenants] + [f"test {name}" for name in self.tests]
        return "on for " + ", ".join(named) if named else "on"


@dataclass
class FlagFile:
    """The flags of one stack, on disk. Others read the file, so it is replaced as a whole."""

    path: Path
    catalogue: Mapping[str, Fault] = field(repr=False)

    def read(self) -> dict[str, Switch]:
        """What is on. Raises `FlagsError` when the file is missing or was not written by us."""
        try:
            flags = json.loads(self.path.read_text(encoding="utf-8"))["flags"]
            return {name: switch for name in flags if (switch := _switch_of(flags[name])) is not None}
        except FileNotFoundError:
            raise FlagsError(f"{self.path} is missing: has this stack been started?") from None
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise FlagsError(
                f"{self.path} is not as it was written ({error!r}); `tracewright flags reset` writes it anew"
            ) from error

    def write(self, switched_on: Mapping[str, Switch]) -> None:
        """Switches exactly these on. Raises `FlagsError` for a name that is not in the catalogue."""
        for name in switched_on:
            if name not in self.catalogue:
                raise FlagsError(f"there is no flag {name!r}: the flags are {', '.join(self.catalogue)}")
        text = flagd(self.catalogue, switched_on)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".new")
        beside.write_text(text, encoding="utf-8")
        beside.replace(self.path)

    def switch(self, name: str, switch: Switch | None) -> None:
        """Switches one flag, leaving the others as they are; `None` is off."""
        others = {other: on for other, on in self.read().items() if other != name}
        if switch is None and name not in self.catalogue:
            raise FlagsError(f"there is no flag {name!r}: the flags are {', '.join(self.catalogue)}")
        self.write(others if switch is None else {**others, name: switch})


def load_faults(root: Path) -> dict[str, Fault]:
    """The catalogue of a clone. Raises `FlagsError` when it is missing or wrong."""
    path = root / FOLDER / CATALOGUE
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        return TypeAdapter(dict[str, Fault]).validate_python(raw)
    except FileNotFoundError:
        raise FlagsError(f"{path} is missing. Restore it: git checkout -- {FOLDER}") from None
    except (yaml.YAMLError, ValidationError) as error:
        raise FlagsError(f"{path}: {error}") from error


def flag_file(paths: StackPaths) -> FlagFile:
    """The flags of one stack."""
    return FlagFile(paths.flags, load_faults(paths.root))


def prepare(paths: StackPaths, *, running: bool) -> None:
    """Gives a stack its flag file: everything off, unless the stack runs and its file still fits."""
    flags = flag_file(paths)
    kept: dict[str, Switch] = {}
    if running and paths.flags.is_file():
        kept = {name: on for name, on in flags.read().items() if name in flags.catalogue}
    flags.write(kept)


def flagd(catalogue: Mapping[str, Fault], switched_on: Mapping[str, Switch] | None = None) -> str:
    """The file in flagd's format. Targeting reads `tenant` and `test` of the evaluation context."""
    flags = {name: _flag(fault, (switched_on or {}).get(name)) for name, fault in catalogue.items()}
    return json.dumps({"$schema": SCHEMA, "flags": flags}, indent=2) + "\n"


def _flag(fault: Fault, switch: Switch | None) -> dict[str, Any]:
    flag: dict[str, Any] = {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": "off",
        "metadata": {"service": fault.service, "description": fault.does},
    }
    if switch is None:
        return flag
    if not switch.tenants and not switch.tests:
        return flag | {"defaultVariant": "on"}
    named = [
        {"in": [{"var": variable}, list(values)]}
        for variable, values in (("tenant", switch.tenants), ("test", switch.tests))
        if values
    ]
    return flag | {"targeting": {"if": [{"or": named} if len(named) > 1 else named[0], "on", "off"]}}


def _switch_of(flag: Mapping[str, Any]) -> Switch | None:
    """The inverse of `_flag`."""
    if "targeting" not in flag:
        return Switch() if flag["defaultVariant"] == "on" else None
    condition = flag["targeting"]["if"][0]
    named = {part["in"][0]["var"]: tuple(part["in"][1]) for part in condition.get("or", [condition])}
    return Switch(tenants=named.get("tenant", ()), tests=named.get("test", ()))
