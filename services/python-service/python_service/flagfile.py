"""An OpenFeature provider for a file in flagd's format, which is read again when it changes.

The evaluation is flagd's own (`openfeature-flagd-core`). flagd's provider would read files, too, but loads
gRPC for it (24 MB of memory), and writes a traceback twice a second while a file is broken.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from os import stat_result
from pathlib import Path
from threading import Event, Thread

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError, TypeMismatchError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.provider import AbstractProvider, Metadata

LOOK_EVERY_S = 0.25
"""How soon a change is seen at the latest."""

_logger = logging.getLogger(__name__)


class FlagFileError(ValueError):
    """The file is missing or no flagd file; the message names it."""


class FlagFile(AbstractProvider):
    """Boolean flags. Whatever happens to the file later, the last good state stays."""

    def __init__(self, path: Path) -> None:
        """Read the file once; raises `FlagFileError`."""
        super().__init__()
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._core = self._load()
        self._stop = Event()
        self._thread = Thread(target=self._watch, name="flags", daemon=True)

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Begin to watch the file."""
        self._thread.start()

    def shutdown(self) -> None:
        """Watch it no longer; returns when the thread has ended."""
        self._stop.set()
        self._thread.join()

    def get_metadata(self) -> Metadata:
        """The provider's name."""
        return Metadata("flagfile")

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """What the file says of a flag for this context."""
        return self._core.resolve_boolean_value(flag_key, default_value, evaluation_context)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """The fleet has boolean flags only: raises `TypeMismatchError`, as the next three do."""
        raise _not_boolean(flag_key)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """Refused."""
        raise _not_boolean(flag_key)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """Refused."""
        raise _not_boolean(flag_key)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """Refused."""
        raise _not_boolean(flag_key)

    def _watch(self) -> None:
        gone = False
        while not self._stop.wait(LOOK_EVERY_S):
            try:
                changed = _identity(self._path.stat()) != self._seen
            except OSError as exc:
                if not gone:
                    _logger.warning("flags not read; the last ones stay", extra={"reason": str(exc)})
                gone, self._seen = True, None
                continue
            gone = False
            if not changed:
                continue
            try:
                self._core = self._load()
            except FlagFileError as exc:
                _logger.warning("flags not read; the last ones stay", extra={"reason": str(exc)})
            else:
                _logger.info("flags read", extra={"file.path": str(self._path)})

    def _load(self) -> FlagdCore:
        core = FlagdCore()
        try:
            self._seen = _identity(self._path.stat())  # also of a broken file: it is told once
            text = self._path.read_text(encoding="utf-8")
            names = json.loads(text)["flags"].keys()
            core.set_flags(text)
            for name in names:  # a rule that cannot be evaluated is told here, not at each request
                core.resolve_boolean_value(name, False, EvaluationContext())
        except OSError as exc:
            raise FlagFileError(str(exc)) from exc
        except (ValueError, LookupError, TypeError, AttributeError, OpenFeatureError) as exc:
            raise FlagFileError(f"{self._path} is not a flagd file: {exc!r}") from exc
        return core


def _identity(seen: stat_result) -> tuple[int, int, int]:
    return seen.st_ino, seen.st_mtime_ns, seen.st_size


def _not_boolean(flag_key: str) -> OpenFeatureError:
    return TypeMismatchError(f"{flag_key} is a boolean flag")
