"""Where things are: the repository, the shared build results, and the folder of one stack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

REPO_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class BuildPaths:
    """Results that all stacks of a clone share."""

    root: Path

    @property
    def folder(self) -> Path:
        """Stamps, lock and logs of the builds."""
        return self.root / ".tracewright" / "build"

    @property
    def bin(self) -> Path:
        """Programs that were built."""
        return self.folder / "bin"

    @property
    def logs(self) -> Path:
        """Whole output of each build unit's last run."""
        return self.folder / "logs"

    @property
    def tools(self) -> Path:
        """Tools that the launcher fetches for itself."""
        return self.root / ".tracewright" / "tools"


@dataclass(frozen=True, slots=True)
class StackPaths:
    """The folder of one stack."""

    root: Path
    name: str

    @property
    def folder(self) -> Path:
        """Everything of this stack. Also the value of the marker that all of its processes carry."""
        return self.root / ".tracewright" / "stacks" / self.name

    @property
    def state(self) -> Path:
        """Which processes run."""
        return self.folder / "state.json"

    @property
    def lock(self) -> Path:
        """Held while a launcher works on the stack."""
        return self.folder / "lock"

    @property
    def endpoints(self) -> Path:
        """Where the stack answers, for harness and load test."""
        return self.folder / "endpoints.json"

    @property
    def logs(self) -> Path:
        """A log file for each component."""
        return self.folder / "logs"

    @property
    def data(self) -> Path:
        """A data folder for each component; removed by `down --volumes`."""
        return self.folder / "data"

    @property
    def config(self) -> Path:
        """Configuration that is written for this stack."""
        return self.folder / "config"

    @property
    def flags(self) -> Path:
        """This stack's own flag file, which the fleet reads while it runs."""
        return self.folder / "flags" / "fleet.flagd.json"

    @property
    def tee(self) -> Path:
        """The collector's copies of all telemetry, in test stacks."""
        return self.folder / "tee"

    def make(self) -> None:
        """Makes the folders that are not there."""
        for folder in (self.logs, self.data, self.config, self.tee):
            folder.mkdir(parents=True, exist_ok=True)


def stack_names(root: Path) -> list[str]:
    """Stacks that have a folder, sorted."""
    stacks = root / ".tracewright" / "stacks"
    return sorted(path.name for path in stacks.iterdir() if path.is_dir()) if stacks.is_dir() else []
