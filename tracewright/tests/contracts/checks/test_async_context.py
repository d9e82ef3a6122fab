from __future__ import annotations

from tracewright.contracts.model import Contract
from tracewright.tests.contracts.checks.twins import judged
from tracewright.tests.drawing import draw


def test_good_capture_passes(good: str, contract: Contract) -> None:
    assert judged("async_context", draw(good), contract) == []


def test_message_that_is_consumed_twice_is_reported_at_its_producer(good: str, contract: Contract) -> None:
    twin = draw(good + "---\nworker consumer process usage_events 140..150 ; link=sent\n")
    (finding,) = judged("async_context", twin, contract)
    assert (finding.detail, finding.seen) == ("is not consumed as declared by process", "2")
    assert finding.subject.startswith("go-service 'send usage_events'")


def test_message_that_nobody_consumes_is_reported(good: str, contract: Contract) -> None:
    (finding,) = judged("async_context", draw(good.split("---")[0]), contract)
    assert finding.seen == "0"


def test_consumer_of_another_messages_context_is_reported(good: str, contract: Contract) -> None:
    twin = good.replace("20..80 ;", "20..80 ; id=gate").replace("link=sent", "link=gate")
    (finding,) = judged("async_context", draw(twin), contract)
    assert finding.seen == "0"


def test_consumer_that_began_before_its_message_was_sent_is_reported(good: str, contract: Contract) -> None:
    (finding,) = judged("async_context", draw(good.replace("110..130", "10..130")), contract)
    assert finding.detail == "began before send sent its message"
