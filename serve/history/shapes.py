"""What the API answers about a session's records: the models, with an example of each."""

from typing import Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

SampleColumn = Literal[
    "acc_x",
    "acc_y",
    "acc_z",
    "gyro_x",
    "gyro_y",
    "gyro_z",
    "mag_x",
    "mag_y",
    "mag_z",
    "accl_mag",
    "gyro_mag",
]
"""What of a sample is shown, besides its time."""
SAMPLE_COLUMNS: Final[tuple[SampleColumn, ...]] = get_args(SampleColumn)
PREDICTION_COLUMNS: Final = ("velocity", "moving_probability")

_WHOLE: dict[str, Any] = {"complete": True, "note": None}
_WINDOW: dict[str, Any] = {
    "kind": "motion",
    "boot": 0,
    "start_us": 1_767_225_600_000_000,
    "end_us": 1_767_225_602_000_000,
    "samples": 400,
    "first_sample": 0,
    "last_sample": 399,
    "closed_by": "watermark",
    "through_offset": 12,
    "gaps": 0,
    "late": 0,
    "acc_mag_min": 0.9,
    "acc_mag_max": 1.4,
    "acc_mag_mean": 1.0,
    "acc_mag_rms": 1.0,
    "acc_mag_std": 0.1,
    "gyro_mag_min": 0.0,
    "gyro_mag_max": 2.0,
    "gyro_mag_mean": 0.5,
    "gyro_mag_rms": 0.7,
    "gyro_mag_std": 0.4,
    "velocity_max": None,
    "distance_m": None,
    "moving_share": None,
    "resets": None,
    "skipped": None,
    "model_name": None,
    "model_version": None,
    "model_sha256": None,
}
_COMPLETE = "Whether all that there is was read."
_NOTE = "What is missing and why; null where nothing is."


class Window(BaseModel):
    """A closed window; what its kind has not is null. Magnitudes in g and rad/s."""

    model_config = ConfigDict(json_schema_extra={"examples": [_WINDOW]})

    kind: Literal["motion", "velocity"]
    boot: int
    start_us: int
    end_us: int
    samples: int
    first_sample: int
    last_sample: int
    closed_by: str
    through_offset: int
    gaps: int | None
    late: int | None
    acc_mag_min: float | None
    acc_mag_max: float | None
    acc_mag_mean: float | None
    acc_mag_rms: float | None
    acc_mag_std: float | None
    gyro_mag_min: float | None
    gyro_mag_max: float | None
    gyro_mag_mean: float | None
    gyro_mag_rms: float | None
    gyro_mag_std: float | None
    velocity_max: float | None = Field(description="m/s")
    distance_m: float | None
    moving_share: float | None
    resets: int | None
    skipped: int | None
    model_name: str | None
    model_version: str | None
    model_sha256: str | None


class WindowsReport(BaseModel):
    """A session's windows, in the order of their starts."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"windows": [_WINDOW], "next_cursor": None, **_WHOLE}]}
    )

    windows: list[Window]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null at the end.")
    complete: bool = Field(description=_COMPLETE)
    note: str | None = Field(description=_NOTE)


_Method = Literal["all", "minmaxlttb"]
_METHOD = (
    "`all`: every sample. `minmaxlttb`: of each column the smallest and the largest value of each "
    "stretch of time, so that no peak is lost, and what MinMaxLTTB picks besides; all as measured."
)


class SampleColumns(BaseModel):
    """Samples in order of time: g, rad/s, gauss. A column that was not asked for is missing."""

    model_config = ConfigDict(extra="allow")

    timestamp_us: list[int]


class SamplesReport(BaseModel):
    """A session's samples, as many as were asked for at most."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "columns": {
                        "timestamp_us": [1_767_225_600_000_000, 1_767_225_600_005_000],
                        "accl_mag": [1.01, 0.99],
                    },
                    "rows_total": 2,
                    "method": "all",
                    **_WHOLE,
                }
            ]
        }
    )

    columns: SampleColumns
    rows_total: int = Field(description="Samples of the span that there are.")
    method: _Method = Field(description=_METHOD)
    complete: bool = Field(description=_COMPLETE)
    note: str | None = Field(description=_NOTE)


class PredictionColumns(BaseModel):
    """Predictions in order of time."""

    timestamp_us: list[int]
    velocity: list[float] = Field(description="m/s")
    moving_probability: list[float]


class Model(BaseModel):
    """Exactly one model."""

    name: str
    version: str
    sha256: str


class PredictionsReport(BaseModel):
    """What the model made of a session's samples."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "columns": {
                        "timestamp_us": [1_767_225_600_000_000],
                        "velocity": [1.2],
                        "moving_probability": [0.98],
                    },
                    "model": {"name": "velocity", "version": "1", "sha256": "ab" * 32},
                    "models": [{"name": "velocity", "version": "1", "sha256": "ab" * 32}],
                    "rows_total": 1,
                    "method": "all",
                    **_WHOLE,
                }
            ]
        }
    )

    columns: PredictionColumns
    model: Model | None = Field(description="Which made the last; null without a prediction.")
    models: list[Model] = Field(description="All that made any, in order of time.")
    rows_total: int = Field(description="Predictions of the span that there are.")
    method: _Method = Field(description=_METHOD)
    complete: bool = Field(description=_COMPLETE)
    note: str | None = Field(description=_NOTE)
