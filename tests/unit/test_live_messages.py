"""What a WebSocket client is told conforms to its schema, whatever Kafka holds."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from jsonschema import Draft202012Validator
from live_records import GOLDEN, VELOCITY_WINDOW, WINDOW, samples, transformed_record

from pipelines.frame_scanner import scan_payload
from serve.live_messages import (
    AGGREGATED,
    RAW,
    TRANSFORMED,
    Source,
    message_head,
    raw_columns,
    rows_by_sensor,
    window_columns,
)

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "pipelines/schemas/websocket-message.schema.json").read_text()
)


def _message(source: Source, sensor_id: str, columns: Any) -> dict[str, Any]:
    head = message_head(source, sensor_id, columns)
    message: dict[str, Any] = orjson.loads(head + ',"seq":0,"dropped":0}')
    Draft202012Validator(SCHEMA).validate(message)
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


def test_a_record_of_several_batches_is_read_whole() -> None:
    value = transformed_record([samples("a", 0, 2)], [samples("b", 0, 1), samples("a", 2, 1)])
    found = [
        (sensor_id, rows["sample_index"].tolist())
        for sensor_id, rows in rows_by_sensor(value, {"a": None})
    ]
    assert found == [("a", [0, 1]), ("a", [2])]


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
