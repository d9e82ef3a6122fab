"""What a check says: findings, and the verdict that they add up to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Verdict(StrEnum):
    """Of one check on one journey. Everything but `PASS` and `NOT_JUDGED` is red."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_JUDGED = "not judged"

    @property
    def red(self) -> bool:
        """Whether the suite may not be green with it."""
        return self in (Verdict.FAIL, Verdict.INCONCLUSIVE)


# The worst finding decides.
_ORDER = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_JUDGED)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as the contract says, as a value; `render` makes it text.

    `span` marks the place in the tree, `cause` is one line on what usually makes it so, and `kind` says
    whether it is a breach (`FAIL`), a question that the capture cannot answer (`INCONCLUSIVE`) or one that
    this stack has no component for (`NOT_JUDGED`). `evidence` are lines that put both sides of a join beside
    each other, the wrong one marked, where a tree cannot show it. `absent` names the signal of which
    something is missing: if the pipeline lost some of it meanwhile, nobody can tell a breach from the loss.
    """

    subject: str
    detail: str
    expected: str = ""
    seen: str = ""
    cause: str = ""
    span: tuple[str, str] | None = None
    kind: Verdict = Verdict.FAIL
    alias: str = ""
    evidence: tuple[str, ...] = ()
    absent: Literal["", "traces", "logs"] = ""


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """The verdict that findings add up to: the worst of them, `PASS` when there is none."""
    kinds = {finding.kind for finding in findings}
    return next((verdict for verdict in _ORDER if verdict in kinds), Verdict.PASS)


def not_judged(what: str) -> Finding:
    """The finding of a check for which the stack has no component, for example `Tempo`."""
    return Finding(what, f"the stack has no {what}, so this is not judged", kind=Verdict.NOT_JUDGED)


def inconclusive(subject: str, detail: str, cause: str = "") -> Finding:
    """The finding of a check whose capture cannot answer."""
    return Finding(subject, detail, cause=cause, kind=Verdict.INCONCLUSIVE)
