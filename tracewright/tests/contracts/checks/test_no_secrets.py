from __future__ import annotations

from dataclasses import replace

import pytest

from tracewright.contracts.capture import RunCapture
from tracewright.contracts.model import Contract
from tracewright.signals import Event, Resource, Sample
from tracewright.tests.contracts.checks.twins import judged
from tracewright.tests.drawing import draw

PLANTED = "canary0123456789abcdef"


def probed(good: str) -> RunCapture:
    run = draw(good)
    return replace(run, probes=(replace(run.probes[0], secret=PLANTED),))


def test_good_capture_passes(good: str, contract: Contract) -> None:
    assert judged("no_secrets", probed(good), contract) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (PLANTED, "the probe's token"),
        ("postgresql://user:pass@127.0.0.1/db", "a password in a URL"),
        ("Bearer abcdefghijklmnop0123", "a bearer token"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlMTIz", "a JSON web token"),
    ],
)
def test_secret_is_reported_by_place_and_hash_and_never_shown(
    text: str, kind: str, good: str, contract: Contract
) -> None:
    run = probed(good)
    twin = replace(run.spans[3], attributes={"http.request.header": ("x", text)})
    (finding,) = judged("no_secrets", replace(run, spans=(*run.spans[:3], twin, *run.spans[4:])), contract)
    assert finding.detail == f"shows {kind} in attribute http.request.header"
    assert finding.span == run.spans[3].key
    assert text not in str(finding)


def test_secret_in_an_event_a_log_and_a_label_is_reported(good: str, contract: Contract) -> None:
    run = probed(good)
    span = replace(run.spans[0], events=(Event("exception", 0, {"exception.message": f"bad {PLANTED}"}),))
    log = replace(run.logs[0], body={"message": f"got {PLANTED}"})
    twin = replace(
        run,
        spans=(span, *run.spans[1:]),
        logs=(log, *run.logs[1:]),
        metrics_after=(Sample("requests_total", {"token": PLANTED}, 1),),
    )
    places = [finding.detail.split(" in ", 1)[1] for finding in judged("no_secrets", twin, contract)]
    assert places == ["event exception, attribute exception.message", "its body", "label token"]


def test_secret_in_a_link_or_in_the_resource_of_a_log_is_reported(good: str, contract: Contract) -> None:
    run = probed(good)
    link = replace(run.spans[-1].links[0], attributes={"message.header": PLANTED})
    log = replace(run.logs[0], resource=Resource({"service.name": "frontend", "process.command": PLANTED}))
    twin = replace(
        run,
        spans=(*run.spans[:-1], replace(run.spans[-1], links=(link,))),
        logs=(log, *run.logs[1:]),
    )
    places = [finding.detail.split(" in ", 1)[1] for finding in judged("no_secrets", twin, contract)]
    assert places == ["link attribute message.header", "resource attribute process.command"]


def test_masked_password_is_no_finding(good: str, contract: Contract) -> None:
    run = probed(good)
    masked = replace(run.spans[0], attributes={"url.full": "postgresql://user:****@db/x"})
    assert judged("no_secrets", replace(run, spans=(masked, *run.spans[1:])), contract) == []
