"""What the api reports of a synthetic world: sensors, sessions, pipelines, parts, the flow."""

import time
from typing import Any

from synthetic_world import World

SESSIONS_BEGIN_US = 1_790_000_000_000_000


def sensor_summary(world: World, number: int, sensor_id: str) -> dict[str, Any]:
    """One sensor as `/api/v1/sensors` gives it."""
    now_us = time.time_ns() // 1000
    offset_us = round(world.clock_offset_s.get(sensor_id, 0) * 1e6)
    silent = sensor_id in world.silent
    received_us = now_us - round(world.last_frame_s_ago * 1e6)
    return {
        "sensor_id": sensor_id, "partition": number % 10, "state": "silent" if silent else "live",
        "boot": number % 3, "samples": 120_000 + 64 * number, "gaps": number % 4, "duplicates": 2,
        "late": 0, "dead_letters": 0, "clock_steps": 0, "rate_hz": 0.0 if silent else 199.98,
        "last_timestamp_us": received_us + offset_us, "last_received_us": received_us,
        "clock_offset_us": offset_us, "labels": world.labels.get(sensor_id, {}),
    }  # fmt: skip


def session_summary(world: World, number: int) -> dict[str, Any]:
    """One session as `/api/v1/sessions` gives it; number 0 started last."""
    sensor_id = world.sensors[number % len(world.sensors)]
    start_us = SESSIONS_BEGIN_US - number * 700_000_000
    lasted_s = 2 * (30 + 97 * number % 1_900)
    seen = number % 3 > 0
    return {
        "session_id": f"{sensor_id}_{start_us}", "sensor_id": sensor_id, "revision": 9,
        "event": "closed" if number > 2 else "updated", "state": "closed" if number > 2 else "open",
        "start_us": start_us, "end_us": start_us + lasted_s * 1_000_000,
        "windows": lasted_s // 2, "samples": 200 * lasted_s, "gaps": number % 4, "late": 0,
        "acc_mag_max": 1.2 + (number % 9) / 7, "gyro_mag_max": 2.5, "velocity_windows": 30 * seen,
        "velocity_max": 1.4 + (number % 5) / 6 if seen else None,
        "distance_m": lasted_s * 0.9 if seen else None, "first_boot": 0, "last_boot": 0,
        "closed_by": "silence" if number > 2 else None, "through_offset": 100,
    }  # fmt: skip


def other_pipeline(
    world: World, name: str, topics: list[str], counts: dict[str, int]
) -> dict[str, Any]:
    """Another pipeline as `/api/v1/pipelines` gives it."""
    now_us = time.time_ns() // 1000
    partitions = [
        {
            "topic": topic, "partition": number, "slot": 0, "next_offset": 5_000 + number,
            "end_offset": 5_000 + number, "lag": 0, "last_commit_us": now_us - 900_000,
        }
        for topic in topics for number in range(10)
    ]  # fmt: skip
    return {
        "name": name, "generation": 1, "slots": 1, "running_slots": 1,
        "paused": name in world.paused,
        "state": "paused" if name in world.paused else "running", "alarm": None,
        "lag": 0, "records_per_s": 12.5, "samples_per_s": 0.0,
        "last_commit_us": now_us - 900_000, "counts": counts, "partitions": partitions,
    }  # fmt: skip


def pipeline_summaries(world: World) -> list[dict[str, Any]]:
    """All pipelines as `/api/v1/pipelines` gives them."""
    aggregated, sessions = "sensor-data-aggregated", "new-session-topic"
    written = {"records": 900, "ticks": 400, "events": 500, "documents": 480, "dead_letters": 0}
    return [
        pipeline_summary(world),
        other_pipeline(world, "session-aggregation", [aggregated], {"records": 900, "events": 500}),
        other_pipeline(world, "ml-inference", ["sensor-data-transformed"], {"samples": 9_000}),
        other_pipeline(world, "session-writer", [sessions], written),
        other_pipeline(world, "archive", ["imu-data-all", aggregated, sessions], {"rows": 90_000}),
    ]


def pipeline_summary(world: World) -> dict[str, Any]:
    """sensor-processing as `/api/v1/pipelines` gives it."""
    now_us = time.time_ns() // 1000
    frames = int(time.time() * 60)
    partitions = [
        {
            "topic": "imu-data-all", "partition": number, "slot": number % 2,
            "next_offset": frames + number,
            "end_offset": frames + number + 3, "lag": 3, "last_commit_us": now_us - 20_000,
        }
        for number in range(10)
    ]  # fmt: skip
    counts = {
        "frames": frames, "transformed": frames - 40, "duplicates": 21, "heartbeats": 12,
        "dead_letters": 7, "samples": 64 * (frames - 40), "gaps": 5, "windows": frames // 6,
    }  # fmt: skip
    return {
        "name": "sensor-processing", "generation": 3, "slots": 2, "running_slots": 2,
        "paused": "sensor-processing" in world.paused, "alarm": world.alarm,
        "state": "stopped" if world.alarm
        else "paused" if "sensor-processing" in world.paused else "running",
        "lag": 30, "records_per_s": 62.5, "samples_per_s": 4_000.0,
        "last_commit_us": now_us - 20_000, "counts": counts, "partitions": partitions,
    }  # fmt: skip


def readiness(world: World) -> dict[str, Any]:
    """The body of `/health/ready`."""
    details = {
        "kafka": "1 broker", "mongodb": "answers", "mqtt": "the bridge is connected",
        "sensor-processing": "2 of 2 slots run", "session-writer": "1 slots, lag 0",
        "live": "reads 10 partitions",
    }  # fmt: skip
    parts = {
        name: {"ready": name not in world.not_ready,
               "detail": "does not answer at 127.0.0.1" if name in world.not_ready else detail}
        for name, detail in details.items()
    }  # fmt: skip
    return {"ready": not world.not_ready, "parts": parts}


def flow(world: World) -> dict[str, Any]:
    """The conservation ledger as `/api/v1/flow` gives it."""
    frames = 4_512_330
    transformed, aggregated = "sensor-data-transformed", "sensor-data-aggregated"
    sessions, predictions = "new-session-topic", "sensor-data-predictions"
    processed = {
        "frames": frames, "transformed": frames - 40 - world.lost, "duplicates": 21,
        "heartbeats": 12, "dead_letters": 7,
    }  # fmt: skip

    def stage(
        name: str, here: str, there: str, rates: tuple[float | None, float | None], **more: Any
    ) -> dict[str, Any]:
        return {
            "name": name, "from": here, "to": there, "records_per_s": rates[0],
            "samples_per_s": rates[1], "lag": 0, "counts": {}, "lost": 0, "doubled": 0, **more,
        }  # fmt: skip

    windows = {"records": 75_300, "windows": 71_000, "ticks": 4_300, "dead_letters": 0}
    predicted = {"samples": 99_000, "predicted": 98_990, "skipped": 10, "not_a_number": 0}
    unknown = {"lost": None, "doubled": None}
    stages = [
        stage("bridge", "MQTT", "imu-data-all", (62.5, None), lag=None, **unknown),
        stage(
            "sensor-processing", "imu-data-all", transformed, (62.5, 4_000.0),
            lag=30, counts=processed, lost=world.lost,
        ),
        stage("session-aggregation", aggregated, sessions, (10.8, None), counts=windows),
        stage(
            "ml-inference", transformed, predictions, (62.5, 4_000.0), lag=12, counts=predicted
        ),
        stage("session-writer", sessions, "MongoDB", (0.8, None), **unknown),
        *(
            stage("archive", topic, "Parquet", (None, None), lag=210, **unknown)
            for topic in (
                "imu-data-all", transformed, aggregated, predictions, sessions, "dead-letters"
            )
        ),
    ]  # fmt: skip
    return {"stages": stages}


def identity(world: World) -> dict[str, Any]:
    """Who is logged in, as `/api/v1/me` gives it."""
    expires_us = round((time.time() + world.expires_in_s) * 1e6)
    return {"subject": "ada", "role": world.role, "sensors": None, "expires_us": expires_us}
