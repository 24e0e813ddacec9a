"""What an enqueue costs a service: time cannot be asserted, but calls of functions can be counted."""

import sys
from collections import Counter
from types import FrameType

import lanes
import producers
from lanes.settings import ProducerSettings
from producers import OpportunityProducer
from tests.producers.conftest import OK

OURS = (lanes.__path__[0], producers.__path__[0])


def test_an_enqueue_calls_few_of_our_functions(redis_url: str) -> None:
    called: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(OURS):
            called[f"{frame.f_code.co_filename}:{frame.f_code.co_name}"] += 1

    with OpportunityProducer.from_settings(ProducerSettings(redis_url=redis_url)) as producer:
        producer.enqueue(OK)
        sys.setprofile(count)
        try:
            producer.enqueue({**OK, "contactId": "other"})
        finally:
            sys.setprofile(None)
    assert called.total() <= 44, called
