"""Who watches what: shared by all who want the same, and gone with the last of them."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from pipelines.partitioner import partition_of
from pipelines.topics import AGGREGATED, TRANSFORMED
from serve.client_queue import ClientQueue
from serve.live_watch import Watch, WatchList

STREAMS = {"transformed": TRANSFORMED, "aggregated": AGGREGATED}
WISHES = st.tuples(
    st.sampled_from(sorted(STREAMS)),
    st.sampled_from([f"sensor{n}" for n in range(5)]),
    st.sampled_from([None, 30.0]),
)


def test_clients_who_want_the_same_share_a_watch() -> None:
    watches = WatchList()
    first = watches.add("transformed", "sensor1", 30.0, ClientQueue(1))
    assert watches.add("transformed", "sensor1", 30.0, ClientQueue(1)) is first
    assert watches.add("transformed", "sensor1", None, ClientQueue(1)) is not first
    place = (TRANSFORMED, partition_of("sensor1"))
    assert watches.partitions() == {place}
    assert len(watches.at(place)["sensor1"]) == 2


@given(st.lists(WISHES, max_size=20), st.randoms())
def test_a_partition_is_watched_exactly_while_a_client_wants_a_sensor_of_it(
    wishes: list[tuple[str, str, float | None]], order: Random
) -> None:
    watches = WatchList()
    open_: list[tuple[Watch, ClientQueue]] = []
    for stream, sensor_id, max_hz in wishes:
        client = ClientQueue(1)
        open_.append((watches.add(stream, sensor_id, max_hz, client), client))
    order.shuffle(open_)
    while True:
        wanted = {
            (STREAMS[watch.key[0]], partition_of(watch.sensor_id), watch.key[1:])
            for watch, _ in open_
        }
        found = {
            (*place, each.key[1:])
            for place in watches.partitions()
            for shared in watches.at(place).values()
            for each in shared
        }
        assert found == wanted
        if not open_:
            break
        watches.remove(*open_.pop())
    assert not watches.partitions()
