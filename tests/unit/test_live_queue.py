"""A slow client's queue: bounded, the oldest lost first, and counted."""

import asyncio

import orjson
from hypothesis import given
from hypothesis import strategies as st

from serve.client_queue import ClientQueue


def _got(queue: ClientQueue, count: int) -> list[dict[str, int]]:
    async def take() -> list[dict[str, int]]:
        return [orjson.loads(await queue.get()) for _ in range(count)]

    return asyncio.run(take())


def test_a_client_that_keeps_up_gets_every_message_in_order() -> None:
    queue = ClientQueue(4)
    for number in range(3):
        queue.put(f'{{"n":{number}')
    assert _got(queue, 3) == [{"n": n, "seq": n, "dropped": 0} for n in range(3)]


def test_a_full_queue_loses_the_oldest_and_says_how_many() -> None:
    queue = ClientQueue(2)
    for number in range(5):
        queue.put(f'{{"n":{number}')
    assert _got(queue, 2) == [
        {"n": 3, "seq": 3, "dropped": 3},
        {"n": 4, "seq": 4, "dropped": 3},
    ]


def test_a_message_is_waited_for() -> None:
    async def scenario() -> str:
        queue = ClientQueue(2)
        waiting = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        queue.put('{"n":0')
        return await waiting

    assert orjson.loads(asyncio.run(scenario())) == {"n": 0, "seq": 0, "dropped": 0}


@given(st.lists(st.booleans()), st.integers(1, 5))
def test_what_was_not_received_was_dropped(puts: list[bool], bound: int) -> None:
    """Whatever the order of puts and gets: seq rises, and each seq skipped counts as dropped."""

    async def scenario() -> None:
        queue = ClientQueue(bound)
        waiting = made = received = 0
        last = -1
        for put in puts:
            if put:
                queue.put("{" + '"n":0')
                made += 1
                waiting = min(waiting + 1, bound)
            elif waiting:
                message = orjson.loads(await queue.get())
                waiting -= 1
                received += 1
                assert message["seq"] > last
                last = message["seq"]
                assert made == received + waiting + message["dropped"]

    asyncio.run(scenario())
