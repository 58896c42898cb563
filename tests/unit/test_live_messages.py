"""What a WebSocket client is told conforms to its schema, whatever Kafka holds."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from jsonschema import Draft202012Validator
from live_records import GOLDEN, SESSION, VELOCITY_WINDOW, WINDOW, samples, transformed_record

from pipelines.control import Alarm
from pipelines.frame_scanner import scan_payload
from pipelines.prediction_streams import PredictedRows, encode_predictions
from pipelines.predictions import ModelId
from pipelines.topics import ARROW_TYPE, CONTENT_TYPE
from serve.live_delivery import Record, deliveries
from serve.live_encoding import Facts, SharedMessage, Source, encode
from serve.live_messages import (
    raw_columns,
    rows_by_sensor,
    window_columns,
)
from serve.live_streams import AGGREGATED, RAW, STREAMS, TRANSFORMED
from serve.live_watch import WatchList
from serve.live_wish import Format, Wish

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "pipelines/schemas/websocket-message.schema.json").read_text()
)
VALIDATOR = Draft202012Validator(SCHEMA)


class Client:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.got: list[SharedMessage] = []

    def take_live(self, source: Source, sensor_id: str | None, message: SharedMessage) -> None:
        """Keep it."""
        self.got.append(message)


def _message(source: Source, sensor_id: str, columns: Any) -> dict[str, Any]:
    text = encode(source, Facts(sensor_id), columns, "json").personal(None, 0, 0)
    message: dict[str, Any] = orjson.loads(text)
    VALIDATOR.validate(message)
    assert len({len(column) for column in message["columns"].values()}) == 1
    return message


def test_only_the_rows_of_watched_sensors_are_taken_in_the_order_of_the_record() -> None:
    value = transformed_record(
        [samples("a", 0, 3), samples("b", 0, 2), samples("a", 3, 2), samples("ü", 7, 1)]
    )
    found = dict(rows_by_sensor(value, {"a": None, "ü": None, "absent": None}))
    assert {name: rows["sample_index"].tolist() for name, rows in found.items()} == {
        "a": [0, 1, 2, 3, 4],
        "ü": [7],
    }


def test_a_transformed_message_has_the_schemas_columns_and_values() -> None:
    value = transformed_record([samples("sensor1", 64, 64)])
    ((sensor_id, rows),) = rows_by_sensor(value, {"sensor1": None})
    message = _message(Source(TRANSFORMED, 3, 17), sensor_id, rows)
    table = pa.ipc.open_stream(value).read_all()
    assert message["partition"] == 3
    assert message["offset"] == 17
    assert list(message["columns"]) == table.schema.names[1:]
    for name, column in message["columns"].items():
        expected = table[name].to_numpy()
        assert np.array_equal(np.array(column, expected.dtype), expected), name


def test_a_record_of_several_batches_is_one_message() -> None:
    value = transformed_record([samples("a", 0, 2)], [samples("b", 0, 1), samples("a", 2, 1)])
    found = [
        (sensor_id, rows["sample_index"].tolist())
        for sensor_id, rows in rows_by_sensor(value, {"a": None})
    ]
    assert found == [("a", [0, 1, 2])]


def test_a_raw_message_has_a_row_for_each_good_frame_of_every_golden_payload() -> None:
    for case in GOLDEN:
        payload = bytes.fromhex(case["payload_hex"])
        columns = raw_columns(payload, 5, 1_700_000_000_000_000)
        message = _message(Source(RAW, 0, 5), "sensor1", columns)
        frames, _ = scan_payload(payload)
        assert message["columns"]["num_samples"] == [frame.num_samples for frame in frames]
        for frame, shown in zip(frames, message["columns"]["payload_hex"], strict=True):
            assert bytes.fromhex(shown) == payload[frame.start : frame.end]


def test_a_windows_statistics_become_columns_of_one_row() -> None:
    columns = window_columns(orjson.dumps(WINDOW))
    message = _message(Source(AGGREGATED, 0, 5), "sensor1", columns)
    assert message["columns"]["acc_mag_rms"] == [1.1]
    assert message["columns"]["closed_by"] == ["watermark"]
    assert "acc_mag" not in message["columns"]


def test_the_model_of_a_velocity_window_becomes_columns_too() -> None:
    columns = window_columns(orjson.dumps(VELOCITY_WINDOW))
    message = _message(Source(AGGREGATED, 0, 5), "sensor1", columns)
    assert message["columns"]["kind"] == ["velocity"]
    assert message["columns"]["model_name"] == ["velocity"]
    assert message["columns"]["model_version"] == ["3"]
    assert message["columns"]["model_sha256"] == ["ab" * 32]
    assert "model" not in message["columns"]


def test_a_sensor_id_of_quotes_and_other_scripts_stays_what_it_is() -> None:
    message = _message(Source(RAW, 0, 5), 'an "ü" \\ 名', {"offset": [1]})
    assert message["sensor_id"] == 'an "ü" \\ 名'


def _shown(record: Record, wish: Wish, subscription: int | None = None) -> list[str | bytes]:
    watches, client = WatchList(), Client()
    watch = watches.add(wish, client)
    topic = wish.stream.topic
    for delivery in deliveries(record, watches.at((topic, watch.places[0][1]))):
        delivery.deliver()
    return [message.personal(subscription, 3, 1) for message in client.got]


def _predicted(sensor_id: str) -> Record:
    rows = PredictedRows(
        np.array([0, 1, 0], np.int64),
        np.zeros(3, np.int32),
        np.arange(3),
        np.arange(3) * 5_000,
        np.array([0.5, 9, 1.5], np.float32),
        np.array([0.25, 0, 0.75], np.float32),
    )
    model = ModelId("velocity", "3", "ab" * 32)
    (value,) = encode_predictions(rows, [sensor_id, "other"], model)
    headers = {CONTENT_TYPE: ARROW_TYPE.encode()}
    return Record(Source("predictions", 4, 9), None, value.to_pybytes(), headers)


def test_predictions_name_the_model_that_made_them() -> None:
    (text,) = _shown(_predicted("a"), Wish(STREAMS["predictions"], "a"))
    message = orjson.loads(text)
    VALIDATOR.validate(message)
    assert message["model"] == {"name": "velocity", "version": "3", "sha256": "ab" * 32}
    assert message["columns"]["velocity"] == [0.5, 1.5]
    assert message["columns"]["moving_probability"] == [0.25, 0.75]


def test_a_sessions_event_is_shown_to_those_of_its_sensor_and_of_all() -> None:
    record = Record(Source("sessions", 0, 5), b"sensor1", orjson.dumps(SESSION), {})
    for sensor_id, shown in ((None, 1), ("sensor1", 1), ("sensor2", 0)):
        texts = _shown(record, Wish(STREAMS["sessions"], sensor_id))
        assert len(texts) == shown
    message = orjson.loads(_shown(record, Wish(STREAMS["sessions"]), 7)[0])
    VALIDATOR.validate(message)
    assert (message["id"], message["seq"], message["dropped"]) == (7, 3, 1)
    assert message["columns"]["session_id"] == ["sensor1_0"]


def test_an_alarm_is_raised_and_cleared_and_other_control_records_are_none() -> None:
    wish = Wish(STREAMS["alarms"])
    alarm = Alarm("ml-inference", 2, 5, "why \u2620", 17)
    value = orjson.dumps({"pipeline": "ml-inference", "slot": 2, "generation": 5,
                          "message": "why \u2620", "at_us": 17})  # fmt: skip
    raised = orjson.loads(_shown(Record(Source("alarms", 0, 1), alarm.key, value, {}), wish)[0])
    cleared = orjson.loads(_shown(Record(Source("alarms", 0, 2), alarm.key, None, {}, 8), wish)[0])
    for message in (raised, cleared):
        VALIDATOR.validate(message)
    assert raised["columns"]["message"] == ["why \u2620"]
    assert raised["columns"]["state"] == ["raised"]
    assert cleared["columns"]["state"] == ["cleared"]
    assert cleared["columns"]["at_us"] == [8_000]
    assert cleared["columns"]["pipeline"] == ["ml-inference"]
    assert not _shown(Record(Source("alarms", 0, 3), b"ml-inference", b"{}", {}), wish)


@pytest.mark.parametrize("subscription", [None, 0, 2**53 - 1])
@pytest.mark.parametrize("sensor_id", ["sensor1", 'an "\u00fc" \\ \u540d'])
def test_the_same_message_as_an_arrow_stream_has_the_same_facts_and_columns(
    sensor_id: str, subscription: int | None
) -> None:
    value = transformed_record([samples(sensor_id, 64, 64)])
    headers = {CONTENT_TYPE: ARROW_TYPE.encode()}
    record = Record(Source(TRANSFORMED, 3, 17), None, value, headers)
    formats: tuple[Format, ...] = ("json", "arrow")
    text, binary = (
        _shown(record, Wish(STREAMS[TRANSFORMED], sensor_id, format=format_), subscription)[0]
        for format_ in formats
    )
    message, table = orjson.loads(text), pa.ipc.open_stream(binary).read_all()
    facts = {name.decode(): value.decode() for name, value in table.schema.metadata.items()}
    assert facts.pop("sensor_id") == message["sensor_id"] == sensor_id
    assert facts.pop("stream") == message["stream"]
    assert {name: int(value) for name, value in facts.items()} == {
        "partition": 3, "offset": 17, "seq": 3, "dropped": 1, "id": subscription or 0,
    }  # fmt: skip
    assert table.schema.names == list(message["columns"])
    for name, column in message["columns"].items():
        assert np.array_equal(np.array(column, table[name].to_numpy().dtype), table[name]), name


def test_every_stream_can_be_had_as_arrow() -> None:
    payload = bytes.fromhex(GOLDEN[0]["payload_hex"])
    raw = Record(Source(RAW, 0, 1), b"s", payload, {"received-us": b"7"})
    window = Record(Source(AGGREGATED, 0, 1), b"s", orjson.dumps(WINDOW), {})
    session = Record(Source("sessions", 0, 1), b"s", orjson.dumps(SESSION), {})
    alarm = Record(Source("alarms", 0, 1), b"alarm/ml-inference/2", None, {})
    for record in (raw, window, session, alarm, _predicted("s")):
        stream = record.source.stream
        sensor_id = None if stream == "alarms" else "s"
        (binary,) = _shown(record, Wish(STREAMS[stream], sensor_id, format="arrow"))
        (text,) = _shown(record, Wish(STREAMS[stream], sensor_id))
        table = pa.ipc.open_stream(binary).read_all()
        assert table.to_pydict().keys() == orjson.loads(text)["columns"].keys()
        assert (b"model-version" in table.schema.metadata) == (stream == "predictions")
