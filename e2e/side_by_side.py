"""The suite on two stacks side by side: how pytest-xdist (`pytest e2e -n 2`) shares the tests out.

Most of its time the suite waits for intervals to pass. Each of xdist's processes has a stack of its own, so
whatever a test breaks is broken for nobody else. The process that comes free takes the next piece.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it ships no types

# One run over all contracts is what these are about.
OF_ONE_RUN = ("e2e/contracts/", "e2e/test_memory.py")
# Their tests share nothing but the stack: each is a piece of its own.
APART = ("test_breaking.py", "test_dependencies.py", "test_someone_elses_stack.py", "test_stopping.py")
# The rest follows as it was collected, the many small ones last, so that both processes end together.
# A container that comes or goes disturbs every open page of the machine, and test_leaving sees a page's last
# words only once: it begins first, test_containers last of these.
FIRST = ("contracts", "test_leaving.py", "test_faults.py", "test_dashboards.py", "test_containers.py")
LAST = ("test_log_store.py", "test_bad_input.py")


def piece_of(nodeid: str) -> str:
    """The tests that stay together: those of a file, of the run over all contracts, or one alone."""
    if nodeid.startswith(OF_ONE_RUN):
        return "contracts"
    file = Path(nodeid.split("::")[0]).name
    return nodeid if file in APART else file


def longest_first(items: list[pytest.Item]) -> None:
    """Sorts in place; within a piece the order stays."""

    def rank(item: pytest.Item) -> int:
        piece = piece_of(item.nodeid)
        if piece in FIRST:
            return FIRST.index(piece) - len(FIRST)
        return LAST.index(piece) + 1 if piece in LAST else 0

    items.sort(key=rank)


class Pieces(LoadScopeScheduling):  # type: ignore[misc]  # for the same reason
    """Hands out `piece_of` by `piece_of`, in the order in which the tests were collected."""

    def __init__(self, config: pytest.Config, log: object = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return piece_of(nodeid)
