"""What a subscription takes and tells."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson

from serve.catch_up import Job, tell_missed
from serve.client_queue import ClientQueue, Outbox
from serve.live_encoding import JsonMessage, Source
from serve.live_seam import Seam
from serve.live_streams import STREAMS
from serve.live_subscription import Subscription
from serve.live_wish import Wish

MESSAGE = JsonMessage('{"n":0')


class Client:
    """A client of all sessions that sees the sensors named `mine-*`."""

    def __init__(self, seams: Mapping[int, Seam]) -> None:
        self.outbox = Outbox()
        queue = ClientQueue(8, self.outbox, 1)
        wish = Wish(STREAMS["sessions"])
        self.subscription = Subscription(
            wish, 1, queue, lambda sensor: sensor.startswith("mine-"), tells=True
        )
        self.subscription.seams.update(seams)

    def got(self) -> list[dict[str, Any]]:
        """Return all that waits."""

        async def take() -> list[dict[str, Any]]:
            count = len(self.subscription.queue)
            return [orjson.loads(await self.outbox.get()) for _ in range(count)]

        return asyncio.run(take())


def _live(next_offset: int) -> Seam:
    seam = Seam(next_offset)
    seam.join(next_offset)
    return seam


def test_a_stream_of_all_sensors_shows_those_that_the_log_in_may_see() -> None:
    client = Client({3: _live(0)})
    for offset, sensor in enumerate(["mine-1", "yours-1", "mine-2"]):
        client.subscription.take_live(Source("sessions", 3, offset), sensor, MESSAGE)
    assert [message["seq"] for message in client.got()] == [0, 1]


def test_partitions_pass_to_live_each_by_itself() -> None:
    client = Client({3: _live(7), 4: Seam(7)})
    for partition in (3, 4, 5):
        client.subscription.take_live(Source("sessions", partition, 7), "mine-1", MESSAGE)
    assert len(client.got()) == 1


def test_what_kafka_has_no_more_is_told() -> None:
    client = Client({3: Seam(5)})
    tell_missed(Job(client.subscription, ("new-session-topic", 3)), 12, 20)
    (note,) = client.got()
    assert (note["type"], note["id"], note["partition"]) == ("missed", 1, 3)
    assert (note["from_offset"], note["to_offset"]) == (5, 11)
    assert client.subscription.seams[3].next_offset == 12


def test_a_topic_that_was_made_anew_is_told_and_gone_on_with() -> None:
    client = Client({3: Seam(1_000)})
    tell_missed(Job(client.subscription, ("new-session-topic", 3)), 0, 20)
    (note,) = client.got()
    assert (note["from_offset"], note["to_offset"]) == (0, 19)
    assert "made anew" in note["detail"]
    assert client.subscription.seams[3].next_offset == 20


def test_who_is_where_kafka_is_has_missed_nothing() -> None:
    for next_offset in (0, 20):
        client = Client({3: Seam(next_offset)})
        tell_missed(Job(client.subscription, ("new-session-topic", 3)), 0, 20)
        assert client.got() == []
