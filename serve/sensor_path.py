"""The sensor that a path names."""

from typing import Annotated

from fastapi import Path
from pydantic import AfterValidator

from pipelines.sensor_topic import MAX_SENSOR_ID_CHARACTERS, sensor_id_fault


def _checked(sensor_id: str) -> str:
    fault = sensor_id_fault(sensor_id)
    if fault is not None:
        raise ValueError(f"this is no sensor id: it {fault}")
    return sensor_id


SensorId = Annotated[
    str,
    Path(
        description="The sensor's id, percent-encoded: any Unicode but control characters, `/`, "
        "`+` and `#`.",
        min_length=1,
        max_length=MAX_SENSOR_ID_CHARACTERS,
        examples=["sensor1"],
    ),
    AfterValidator(_checked),
]
"""A parameter ``sensor_id`` of a route's path; what can be no sensor id is answered with 422."""
