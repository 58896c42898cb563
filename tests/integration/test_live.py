"""`live` over real Kafka, Ray Serve and HAProxy: who is sent what, and who is not."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.cookies import SimpleCookie
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from live_records import GOLDEN, WINDOW, samples, session_event, transformed_record
from serve_clients import (
    MAX_CLIENTS,
    MAX_SUBSCRIPTIONS,
    WAIT_S,
    Listener,
    Pipeline,
    bearer,
    eventually,
    http,
    multiplexed,
    noted,
    of_all,
    received,
    websocket,
)
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection

from pipelines.control import Alarm
from pipelines.partitioner import partition_of
from pipelines.prediction_streams import PredictedRows, encode_predictions
from pipelines.predictions import ModelId
from pipelines.settings import Settings
from pipelines.topics import AGGREGATED, RAW, TRANSFORMED
from serve.auth import COOKIE, new_token
from serve.live_encoding import SharedMessage, Source
from serve.live_reader import LiveReader
from serve.live_streams import STREAMS
from serve.live_watch import WatchList
from serve.live_wish import Wish


@pytest.fixture(scope="module")
def pipeline(serving: Settings) -> Iterator[Pipeline]:
    yield Pipeline(serving.kafka)


def test_a_client_is_sent_its_sensors_samples_and_no_others(
    serving: Settings, pipeline: Pipeline
) -> None:
    with websocket(serving, "transformed", "live-a") as client:
        for first in (0, 64):
            with pipeline.transaction():
                pipeline.tick(TRANSFORMED, partition_of("live-a"))
                entries = [samples("other", 0, 64), samples("live-a", first, 64)]
                pipeline.transformed("live-a", transformed_record(entries))
        for seq, first in enumerate((0, 64)):
            message = received(client)
            assert (message["stream"], message["sensor_id"]) == ("transformed", "live-a")
            assert (message["seq"], message["dropped"]) == (seq, 0)
            assert message["columns"]["sample_index"] == list(range(first, first + 64))


def test_what_was_aborted_is_never_shown(serving: Settings, pipeline: Pipeline) -> None:
    with websocket(serving, "transformed", "live-b") as client:
        for first, commit in ((0, False), (1_000, True)):
            with pipeline.transaction(commit=commit):
                pipeline.transformed("live-b", transformed_record([samples("live-b", first, 2)]))
        assert received(client)["columns"]["sample_index"] == [1_000, 1_001]


def test_raw_frames_and_windows_are_streamed_too(serving: Settings, pipeline: Pipeline) -> None:
    sensor = 'ünï "c" 名'
    with (
        websocket(serving, "raw", sensor) as raw,
        websocket(serving, "aggregated", sensor) as aggregated,
    ):
        with pipeline.transaction():
            for topic in (RAW, AGGREGATED):
                pipeline.tick(topic, partition_of(sensor))
            pipeline.raw(sensor, bytes.fromhex(GOLDEN[0]["payload_hex"]) * 2, 7)
            pipeline.aggregated(sensor, orjson.dumps({**WINDOW, "sensor_id": sensor}))
        frames = received(raw)
        assert frames["sensor_id"] == sensor
        assert frames["columns"]["base_sample_number"] == [7, 7]
        assert frames["columns"]["received_us"] == [7, 7]
        assert received(aggregated)["columns"]["acc_mag_max"] == [2.0]


def test_max_hz_thins_one_client_and_leaves_another_alone(
    serving: Settings, pipeline: Pipeline
) -> None:
    with (
        websocket(serving, "transformed", "live-c", "?max_hz=30") as thin,
        websocket(serving, "transformed", "live-c") as whole,
    ):
        with pipeline.transaction():
            pipeline.transformed("live-c", transformed_record([samples("live-c", 0, 64)]))
        assert 1 <= len(received(thin)["columns"]["sample_index"]) <= 10
        assert len(received(whole)["columns"]["sample_index"]) == 64


def test_a_slow_client_loses_the_oldest_and_is_told_and_slows_nobody(
    serving: Settings, pipeline: Pipeline
) -> None:
    made = 100
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    narrow.connect(("127.0.0.1", serving.serve.port))
    with (
        websocket(serving, "transformed", "live-d", sock=narrow, max_queue=1) as slow,
        websocket(serving, "transformed", "live-d") as fast,
    ):
        listener = Listener(fast)
        for number in range(made):
            with pipeline.transaction():
                value = transformed_record([samples("live-d", 1_500 * number, 1_500)])
                pipeline.transformed("live-d", value)
            listener.wait_for(number + 1)
        assert [message["seq"] for message in listener.messages] == list(range(made))
        assert listener.messages[-1]["dropped"] == 0
        got = [received(slow)]
        while got[-1]["seq"] < made - 1:
            got.append(received(slow))
        assert got[0]["seq"] == 0
        assert got[-1]["dropped"] > 0
        assert len(got) + got[-1]["dropped"] == made


def _say(client: ClientConnection, **command: Any) -> None:
    client.send(orjson.dumps(command).decode())


def _predicted(sensor: str) -> bytes:
    rows = PredictedRows(
        np.zeros(2, np.int64),
        np.zeros(2, np.int32),
        np.arange(2),
        np.arange(2) * 5_000,
        np.array([0.5, 1.5], np.float32),
        np.array([0.25, 0.75], np.float32),
    )
    (value,) = encode_predictions(rows, [sensor], ModelId("velocity", "3", "ab" * 32))
    whole: bytes = value.to_pybytes()
    return whole


def test_one_connection_carries_all_streams(serving: Settings, pipeline: Pipeline) -> None:
    sensor, alarm = "many-a", Alarm("ml-inference", 1, 2, "why", 3)
    with multiplexed(serving, subprotocols=["imustream"]) as client:
        assert client.subprotocol == "imustream"
        wanted = [
            (1, "transformed", sensor),
            (2, "predictions", sensor),
            (3, "sessions", None),
            (4, "sessions", sensor),
            (5, "alarms", None),
        ]
        for number, stream, of in wanted:
            named = {} if of is None else {"sensor": of}
            _say(client, type="subscribe", id=number, stream=stream, **named)
        begun = {noted(client)["id"] for _ in wanted}
        assert begun == {1, 2, 3, 4, 5}
        with pipeline.transaction():
            pipeline.transformed(sensor, transformed_record([samples(sensor, 0, 2)]))
            pipeline.predictions(sensor, _predicted(sensor))
            pipeline.session(sensor, session_event(sensor))
            pipeline.alarm(alarm.key, orjson.dumps({"message": "why", "generation": 2}))
        got = {message["id"]: message for message in (received(client) for _ in wanted)}
        assert got[1]["columns"]["sample_index"] == [0, 1]
        assert got[2]["model"] == {"name": "velocity", "version": "3", "sha256": "ab" * 32}
        assert got[3]["columns"] == got[4]["columns"]
        assert got[3]["columns"]["session_id"] == [f"{sensor}_0"]
        assert got[5]["columns"]["state"] == ["raised"]
        _say(client, type="unsubscribe", id=3)
        assert noted(client) == {"type": "unsubscribed", "id": 3}
        with pipeline.transaction():
            pipeline.session(sensor, session_event(sensor))
            pipeline.alarm(alarm.key, None)
        got = {message["id"]: message for message in (received(client) for _ in range(2))}
        assert got.keys() == {4, 5}
        assert got[5]["columns"]["state"] == ["cleared"]


def test_a_wrong_command_is_answered_and_ends_nothing(serving: Settings) -> None:
    with multiplexed(serving) as client:
        for command, why in (
            ({"type": "subscribe", "id": 1, "stream": "news"}, "no such stream"),
            ({"type": "unsubscribe", "id": 1}, "no subscription 1"),
            ({"type": "shout", "id": 1}, "shout"),
        ):
            _say(client, **command)
            told = noted(client)
            assert (told["type"], told["id"], told["code"]) == ("error", 1, 1008)
            assert why in told["detail"]
        client.send(b"binary")
        assert noted(client)["id"] is None
        for number in range(MAX_SUBSCRIPTIONS + 1):
            _say(client, type="subscribe", id=number, stream="alarms")
        told_types = [noted(client)["type"] for _ in range(MAX_SUBSCRIPTIONS + 1)]
        assert sorted(told_types) == ["error", *["subscribed"] * MAX_SUBSCRIPTIONS]
        _say(client, type="ping", id=9)
        assert noted(client) == {"type": "pong", "id": 9}


def test_the_same_message_comes_as_arrow_for_who_asks(
    serving: Settings, pipeline: Pipeline
) -> None:
    sensor = "arrow-a"
    with (
        websocket(serving, "transformed", sensor, "?format=arrow") as arrow,
        websocket(serving, "transformed", sensor) as plain,
    ):
        with pipeline.transaction():
            pipeline.transformed(sensor, transformed_record([samples(sensor, 0, 64)]))
        message, binary = received(plain), arrow.recv(timeout=WAIT_S)
        assert isinstance(binary, bytes)
        table = pa.ipc.open_stream(binary).read_all()
        assert int(table.schema.metadata[b"offset"]) == message["offset"]
        assert table["sample_index"].to_pylist() == message["columns"]["sample_index"]


def test_a_client_goes_when_its_log_in_ends(serving: Settings) -> None:
    token = new_token(serving, hours=1.5 / 3_600)
    headers = {"Authorization": f"Bearer {token}"}
    with websocket(serving, "transformed", "live-a", additional_headers=headers) as client:
        _closed_with(client, 4401)


_TOO_MUCH = 3 * 10 * 50
"""Thrice what live.max_messages_per_s lets a client say at once."""


def test_a_client_that_says_too_much_goes(serving: Settings) -> None:
    with multiplexed(serving) as client:
        client.send("x" * 100_000)
        _closed_with(client, 1009)
    # It takes all that it is sent, or it would not see the end; and it ends: what it sends into a
    # closed connection has the connection reset, and the close code lost.
    with multiplexed(serving, max_queue=None) as client:
        with suppress(ConnectionClosedError):
            for _ in range(_TOO_MUCH):
                _say(client, type="ping")
        _closed_with(client, 1008)


def _closed_with(client: ClientConnection, code: int) -> None:
    with pytest.raises(ConnectionClosedError) as closed:
        while True:
            client.recv(timeout=WAIT_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code
    assert closed.value.rcvd.reason or code == 1009


class Client:
    """Somebody who watches and needs nothing."""

    def take_live(self, source: Source, sensor_id: str | None, message: SharedMessage) -> None:
        """Nothing is kept."""


def test_only_partitions_that_somebody_watches_are_read(serving: Settings) -> None:
    async def scenario() -> None:
        watches = WatchList()
        reader = LiveReader(serving.kafka, watches)
        reader.thread.start()
        first, second = Client(), Client()
        try:
            one = watches.add(Wish(STREAMS["transformed"], "sensor1"), first)
            await asyncio.wait_for(reader.follows(one), 10)
            assert reader.assigned == {*one.places}
            two = watches.add(Wish(STREAMS["raw"], "sensor2"), second)
            await asyncio.wait_for(reader.follows(two), 10)
            assert reader.assigned == {*one.places, *two.places}
            watches.remove(one, first)
            await asyncio.to_thread(
                eventually, lambda: reader.assigned == {*two.places}, "one partition"
            )
            watches.remove(two, second)
            await asyncio.to_thread(eventually, lambda: not reader.assigned, "no partition")
        finally:
            await asyncio.to_thread(reader.thread.stop)

    asyncio.run(scenario())


def _refused(serving: Settings, status: int, **options: Any) -> None:
    with (
        pytest.raises(InvalidStatus, match=f"HTTP {status}"),
        websocket(serving, "transformed", "live-a", **options),
    ):
        pass


def test_nobody_streams_without_a_log_in(serving: Settings) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": f"{COOKIE}=wrong"}):
        _refused(serving, 401, additional_headers=headers)


def test_a_cookie_streams_for_our_own_page_and_for_no_other_site(serving: Settings) -> None:
    cookie = SimpleCookie({COOKIE: new_token(serving, hours=1)}).output(header="").strip()
    own = f"http://127.0.0.1:{serving.serve.port}"
    options: dict[str, Any] = {"additional_headers": {"Cookie": cookie}}
    with websocket(serving, "transformed", "live-a", origin=own, **options):
        pass
    for origin in ("https://evil.example", f"{own}0", "null"):
        _refused(serving, 403, origin=origin, **options)


@pytest.mark.parametrize(
    ("stream", "sensor"), [("transformed", "a+b"), ("transformed", "x" * 65), ("nothing", "a")]
)
def test_what_cannot_be_streamed_is_closed_with_1008(
    serving: Settings, stream: str, sensor: str
) -> None:
    with websocket(serving, stream, sensor) as client:
        _closed_with(client, 1008)


@pytest.mark.parametrize("query", ["?format=xml", "?sensor=a%2Bb", "?from=x", "?max_hz=1"])
def test_what_cannot_be_had_of_all_sensors_is_closed_with_1008(
    serving: Settings, query: str
) -> None:
    with of_all(serving, "sessions", query) as client:
        _closed_with(client, 1008)


def test_one_client_too_many_is_told_to_come_back(serving: Settings, pipeline: Pipeline) -> None:
    with ExitStack() as room:
        for number in range(MAX_CLIENTS):
            room.enter_context(websocket(serving, "aggregated", f"full-{number}"))
        client = room.enter_context(websocket(serving, "aggregated", "full-x"))
        _closed_with(client, 1013)

    def let_in() -> bool:
        with websocket(serving, "aggregated", "full-x") as client:
            with pipeline.transaction():
                window = orjson.dumps({**WINDOW, "sensor_id": "full-x"})
                pipeline.aggregated("full-x", window)
            try:
                return bool(received(client)["seq"] == 0)
            except ConnectionClosedError:
                return False

    eventually(let_in, "room for a client")


def test_the_token_in_a_urls_query_is_no_log_in(serving: Settings) -> None:
    token = bearer(serving)["Authorization"].split()[1]
    _refused(serving, 401, query=f"?token={token}", additional_headers={})
    with http(serving, logged_in=False) as client:
        assert client.get("/api/v1/sensors", params={"token": token}).status_code == 401
