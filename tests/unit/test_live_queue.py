"""A slow client's queue: bounded, the oldest lost first, and counted."""

import asyncio

import orjson
from hypothesis import given
from hypothesis import strategies as st

from serve.client_queue import ClientQueue, Outbox
from serve.live_encoding import JsonMessage

MESSAGE = JsonMessage('{"n":0')


def _numbered(number: int) -> JsonMessage:
    return JsonMessage(f'{{"n":{number}')


def _got(outbox: Outbox, count: int) -> list[dict[str, int]]:
    async def take() -> list[dict[str, int]]:
        return [orjson.loads(await outbox.get()) for _ in range(count)]

    return asyncio.run(take())


def test_a_client_that_keeps_up_gets_every_message_in_order() -> None:
    outbox = Outbox()
    queue = ClientQueue(4, outbox)
    for number in range(3):
        queue.put(_numbered(number))
    assert _got(outbox, 3) == [{"n": n, "seq": n, "dropped": 0} for n in range(3)]


def test_a_full_queue_loses_the_oldest_and_says_how_many() -> None:
    outbox = Outbox()
    queue = ClientQueue(2, outbox)
    for number in range(5):
        queue.put(_numbered(number))
    assert _got(outbox, 2) == [
        {"n": 3, "seq": 3, "dropped": 3},
        {"n": 4, "seq": 4, "dropped": 3},
    ]


def test_a_note_is_never_dropped_and_keeps_its_place() -> None:
    outbox = Outbox()
    queue = ClientQueue(2, outbox)
    queue.put(_numbered(0))
    queue.put_note('{"type":"caught_up"}')
    for number in range(1, 4):
        queue.put(_numbered(number))
    assert _got(outbox, 2) == [{"type": "caught_up"}, {"n": 3, "seq": 3, "dropped": 3}]


def test_a_busy_subscription_does_not_push_out_a_rare_one() -> None:
    outbox = Outbox()
    busy, rare = ClientQueue(3, outbox, 1), ClientQueue(3, outbox, 2)
    for number in range(10):
        busy.put(_numbered(number))
    rare.put(_numbered(0))
    found = _got(outbox, 4)
    assert [message["id"] for message in found] == [1, 2, 1, 1]
    assert found[1]["dropped"] == 0


def test_a_message_is_waited_for() -> None:
    async def scenario() -> str | bytes:
        outbox = Outbox()
        waiting = asyncio.create_task(outbox.get())
        await asyncio.sleep(0)
        ClientQueue(2, outbox).put(MESSAGE)
        return await waiting

    assert orjson.loads(asyncio.run(scenario())) == {"n": 0, "seq": 0, "dropped": 0}


def test_who_waits_for_room_drops_nothing() -> None:
    async def scenario() -> list[int]:
        outbox = Outbox()
        queue = ClientQueue(2, outbox)

        async def fill() -> None:
            for number in range(20):
                await queue.room()
                queue.put(_numbered(number))

        filling = asyncio.create_task(fill())
        found = [orjson.loads(await outbox.get()) for _ in range(20)]
        await filling
        assert found[-1]["dropped"] == 0
        return [message["n"] for message in found]

    assert asyncio.run(scenario()) == list(range(20))


def test_what_waits_when_a_subscription_ends_is_not_sent() -> None:
    outbox = Outbox()
    ended, other = ClientQueue(2, outbox, 1), ClientQueue(2, outbox, 2)
    ended.put(MESSAGE)
    other.put(MESSAGE)
    ended.clear()
    assert _got(outbox, 1)[0]["id"] == 2


@given(st.lists(st.booleans()), st.integers(1, 5))
def test_what_was_not_received_was_dropped(puts: list[bool], bound: int) -> None:
    """Whatever the order of puts and gets: seq rises, and each seq skipped counts as dropped."""

    async def scenario() -> None:
        outbox = Outbox()
        queue = ClientQueue(bound, outbox)
        waiting = made = received = 0
        last = -1
        for put in puts:
            if put:
                queue.put(MESSAGE)
                made += 1
                waiting = min(waiting + 1, bound)
            elif waiting:
                message = orjson.loads(await outbox.get())
                waiting -= 1
                received += 1
                assert message["seq"] > last
                last = message["seq"]
                assert made == received + waiting + message["dropped"]

    asyncio.run(scenario())
