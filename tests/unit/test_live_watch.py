"""Who watches what: shared by all who want the same, and gone with the last of them."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from pipelines.partitioner import partition_of
from pipelines.topics import AGGREGATED, TRANSFORMED
from serve.live_encoding import SharedMessage, Source
from serve.live_streams import STREAMS as ALL_STREAMS
from serve.live_watch import Watch, WatchList
from serve.live_wish import Wish

STREAMS = {"transformed": TRANSFORMED, "aggregated": AGGREGATED}
WISHES = st.tuples(
    st.sampled_from(sorted(STREAMS)),
    st.sampled_from([f"sensor{n}" for n in range(5)]),
    st.sampled_from([None, 30.0]),
).map(lambda wish: wish if wish[0] == "transformed" else (*wish[:2], None))


class Client:
    """Somebody who watches."""

    def take_live(self, source: Source, sensor_id: str | None, message: SharedMessage) -> None:
        """Nothing comes here."""


def _wish(stream: str, sensor_id: str | None, max_hz: float | None = None) -> Wish:
    return Wish(ALL_STREAMS[stream], sensor_id, max_hz)


def test_clients_who_want_the_same_share_a_watch() -> None:
    watches = WatchList()
    first = watches.add(_wish("transformed", "sensor1", 30.0), Client())
    assert watches.add(_wish("transformed", "sensor1", 30.0), Client()) is first
    assert watches.add(_wish("transformed", "sensor1"), Client()) is not first
    place = (TRANSFORMED, partition_of("sensor1"))
    assert watches.partitions() == {place}
    assert len(watches.at(place)["sensor1"]) == 2


@given(st.lists(WISHES, max_size=20), st.randoms())
def test_a_partition_is_watched_exactly_while_a_client_wants_a_sensor_of_it(
    wishes: list[tuple[str, str, float | None]], order: Random
) -> None:
    watches = WatchList()
    open_: list[tuple[Watch, Client]] = []
    for stream, sensor_id, max_hz in wishes:
        client = Client()
        open_.append((watches.add(_wish(stream, sensor_id, max_hz), client), client))
    order.shuffle(open_)
    while True:
        wanted = {
            (STREAMS[watch.key[0]], partition_of(watch.key[1] or ""), watch.key[1:])
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


def test_a_stream_of_all_sensors_is_watched_in_every_partition() -> None:
    watches = WatchList()
    client = Client()
    watch = watches.add(_wish("sessions", None), client)
    assert len(watches.partitions()) == 10
    watches.remove(watch, client)
    assert not watches.partitions()


def test_whoever_has_seen_a_version_sees_the_watches_made_by_then() -> None:
    watches = WatchList()
    first, second = Client(), Client()
    one = watches.add(_wish("transformed", "sensor1"), first)
    assert one.version <= watches.version
    before = watches.version
    other = watches.add(_wish("transformed", "sensor2"), second)
    assert before < other.version <= watches.version
    before = watches.version
    watches.remove(one, first)
    assert watches.version > before
