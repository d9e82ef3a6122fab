"""A run that several processes share: what the one that drove has seen, the others have, too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tracewright import session
from tracewright.browser import PageSeen
from tracewright.contracts.load import load_contract
from tracewright.session import ContractSession
from tracewright.tests.fake_stack import CONTRACT, FakeStack
from tracewright.verify import verify


def test_pages_and_phases_of_a_shared_run_are_those_of_the_process_that_drove(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = tmp_path / "run.yaml"
    contract.write_text(CONTRACT, encoding="utf-8")
    (tmp_path / "shared").mkdir()
    pages = {"run": PageSeen(b"a picture", ["log: hello"])}
    monkeypatch.setattr(session, "verify", lambda *args, **rest: replace(verify(*args, **rest), pages=pages))
    (tmp_path / "tee").mkdir()
    with FakeStack(tmp_path / "tee") as stack:
        driver, judge, controller = (
            ContractSession(lambda: stack.endpoints, shared=tmp_path / "shared") for _ in range(3)
        )
        for one in (driver, judge):
            one.add(load_contract(contract))
        driven = driver.report()
    assert driven.ok, driven.render()
    controller.adopt()
    for report in (judge.report(), controller.report()):
        assert report.ok, report.render()
        assert (report.pages, report.seconds) == (pages, driven.seconds)
