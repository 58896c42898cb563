"""CSV files as people have them: columns, units and times found, and errors that say where."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import ConfigurationError, DataError
from simulator.readings import TEMPERATURE_COUNTS
from simulator.recording import Recording
from simulator.replay_csv import CsvForm, csv_recording
from simulator.replay_form import csv_form

ROWS = 20
TITLES = "timestamp_ms,acc_x_g,acc_y_g,acc_z_g,gyro_x_rad_s,gyro_y_rad_s,gyro_z_rad_s"


def line(i: int, time: str | None = None) -> str:
    return f"{time or 20 * i},0.1,-0.2,{1 + i / 100:.2f},0.5,0.25,-{i / 10:.1f}"


def csv_file(folder: Path, titles: str, lines: list[str]) -> Path:
    path = folder / "walk.csv"
    path.write_text("\n".join([titles, *lines]) + "\n", encoding="utf-8")
    return path


def read(folder: Path, titles: str = TITLES, **form: object) -> Recording:
    path = csv_file(folder, titles, [line(i) for i in range(ROWS)])
    return csv_recording(path, CsvForm(**form))  # type: ignore[arg-type]


def test_a_plain_file_is_read_as_it_stands(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert found.name == "walk.csv"
    assert np.allclose(found.time_s, np.arange(ROWS) * 0.02)
    assert np.allclose(found.readings[:, :3], [[0.1, -0.2, 1 + i / 100] for i in range(ROWS)])
    assert np.allclose(found.readings[:, 3:6], [[0.5, 0.25, -i / 10] for i in range(ROWS)])


def test_without_magnetometer_and_temperature_constants_stand_for_them(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert (found.readings[:, 6:] == 0).all()
    assert (found.temperature == TEMPERATURE_COUNTS).all()


@pytest.mark.parametrize(
    "titles",
    [
        "time (ms),Accel X (g),Accel Y (g),Accel Z (g),GyrX [rad/s],GyrY [rad/s],GyrZ [rad/s]",
        "t_ms,ax,ay,az,gx_rad_s,gy_rad_s,gz_rad_s",
        "Timestamp,accelerometerX,accelerometerY,accelerometerZ,wx_rad/s,wy_rad/s,wz_rad/s",
    ],
)
def test_common_titles_are_recognised(titles: str, tmp_path: Path) -> None:
    ours, theirs = read(tmp_path), read(tmp_path, titles)
    assert np.allclose(ours.time_s, theirs.time_s)
    assert np.allclose(ours.readings, theirs.readings)


def test_columns_can_be_named_and_units_said(tmp_path: Path) -> None:
    titles = "when,one,two,three,four,five,six"
    quantities = ("time", "acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
    columns = dict(zip(quantities, titles.split(","), strict=True))
    found = read(tmp_path, titles, columns=columns, gyro_unit="deg/s", time_unit="us")
    assert found.span_s == pytest.approx((ROWS - 1) * 20e-6)
    assert found.readings[0, 3] == pytest.approx(np.radians(0.5))


def test_metres_per_second_squared_are_told_from_g_by_gravity(tmp_path: Path) -> None:
    rows = [f"{i / 100:.2f},0.0,0.0,9.80665,0,0,0" for i in range(ROWS)]
    titles = "t,ax,ay,az,gx_dps,gy_dps,gz_dps"
    found = csv_recording(csv_file(tmp_path, titles, rows), CsvForm())
    assert np.allclose(found.readings[:, 2], 1.0)
    assert found.span_s == pytest.approx(0.19)


@pytest.mark.parametrize(("scale", "first"), [(1, 1.7e9), (1e3, 1.7e12), (1e6, 1.7e15)])
def test_the_size_of_a_time_since_the_epoch_tells_its_unit(
    scale: float, first: float, tmp_path: Path
) -> None:
    rows = [line(i, repr(first + i * 0.01 * scale)) for i in range(ROWS)]
    titles = TITLES.replace("timestamp_ms", "timestamp")
    found = csv_recording(csv_file(tmp_path, titles, rows), CsvForm())
    assert np.allclose(found.time_s, np.arange(ROWS) / 100, atol=1e-6)


@pytest.mark.parametrize("zone", ["", "Z", "+02:00"])
def test_times_in_iso_8601_are_read_whatever_the_title_says(zone: str, tmp_path: Path) -> None:
    rows = [line(i, f"2026-03-29T01:59:59.{i:02d}0{zone}") for i in range(ROWS)]
    found = csv_recording(csv_file(tmp_path, TITLES, rows), CsvForm())
    assert np.allclose(found.time_s, np.arange(ROWS) / 100, atol=1e-6)


def test_magnetometer_and_temperature_are_read(tmp_path: Path) -> None:
    rows = [line(i) + ",20.0,0.0,-43.0,1300" for i in range(ROWS)]
    titles = TITLES + ",mag_x,mag_y,mag_z,temp_raw"
    found = csv_recording(csv_file(tmp_path, titles, rows), CsvForm())
    assert np.allclose(found.readings[:, 6:], [0.2, 0.0, -0.43])
    assert (found.temperature == 1_300).all()


def test_semicolons_blank_lines_and_a_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    lines = [line(i).replace(",", ";") for i in range(ROWS)]
    path = csv_file(tmp_path, "\ufeff" + TITLES.replace(",", ";"), [*lines[:5], "", *lines[5:]])
    assert len(csv_recording(path, CsvForm()).time_s) == ROWS


def test_rows_of_the_same_time_are_averaged(tmp_path: Path) -> None:
    path = csv_file(tmp_path, TITLES, ["0,0,0,1,0,0,0", "10,0,0,1,0,0,0", "10,0,0,2,0,0,1"])
    found = csv_recording(path, CsvForm())
    assert found.time_s.tolist() == [0, 0.01]
    assert found.readings[1, 2] == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("at", "bad", "said"),
    [
        (3, "60,0.1,x,1,0,0,0", r"line 5, column 'acc_y_g': 'x' is not a number; correct it"),
        (3, "60,0.1,,1,0,0,0", r"line 5, column 'acc_y_g': '' is not a number"),
        (3, "60,0.1,nan,1,0,0,0", r"line 5, column 'acc_y_g': 'nan' is not a number"),
        (3, "60,0.1,0,1,0,0", r"line 5: 6 columns, the header has 7; mend or remove the line"),
        (3, "10,0.1,0,1,0,0,0", r"line 5, column 'timestamp_ms': the time 10 is before .*sort"),
        (0, "noon,0,0,1,0,0,0", r"line 2, column 'timestamp_ms': 'noon' is not a number or an ISO"),
    ],
)
def test_a_bad_line_is_named_with_its_column_and_what_to_do(
    at: int, bad: str, said: str, tmp_path: Path
) -> None:
    lines = [line(i) for i in range(ROWS)]
    lines[at] = bad
    with pytest.raises(DataError, match=r"walk\.csv, " + said):
        csv_recording(csv_file(tmp_path, TITLES, lines), CsvForm())


@pytest.mark.parametrize(
    ("titles", "said"),
    [
        (TITLES.replace("acc_z_g", "height"), r"line 1: no column for acc_z .* --column acc_z="),
        (TITLES.replace("acc_z_g", "ax"), r"'acc_x_g' and 'ax' could both be acc_x; .*--column"),
        (TITLES + ",mag_x", r"no column for mag_y, mag_z"),
        (TITLES.replace("_rad_s", ""), r"gyroscope.* do not say their unit.*--gyro-unit deg/s"),
    ],
)
def test_columns_in_doubt_are_named_with_the_option_that_settles_it(
    titles: str, said: str, tmp_path: Path
) -> None:
    rows = [line(i) + ",1" * (titles.count(",") - TITLES.count(",")) for i in range(ROWS)]
    with pytest.raises(DataError, match=said):
        csv_recording(csv_file(tmp_path, titles, rows), CsvForm())


def test_an_acceleration_of_no_plausible_size_is_asked_about(tmp_path: Path) -> None:
    rows = [f"{20 * i},0,0,16384,0,0,0" for i in range(ROWS)]
    titles = TITLES.replace("_g,", ",")
    with pytest.raises(DataError, match=r"magnitude 1\.64e\+04 .*--acc-unit g or m/s2"):
        csv_recording(csv_file(tmp_path, titles, rows), CsvForm())


def test_a_time_of_any_unit_is_asked_about(tmp_path: Path) -> None:
    rows = [line(i, str(i)) for i in range(ROWS)]
    titles = TITLES.replace("timestamp_ms", "t")
    assert csv_recording(csv_file(tmp_path, titles, rows), CsvForm()).span_s < 1  # 1 kHz in ms
    rows = [line(i, str(300 * i)) for i in range(ROWS)]
    with pytest.raises(DataError, match=r"--time-unit s, ms, us or ns"):
        csv_recording(csv_file(tmp_path, titles, rows), CsvForm())


def test_a_file_that_is_none_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read as CSV"):
        csv_recording(tmp_path / "nowhere.csv", CsvForm())
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DataError, match="no column for time"):
        csv_recording(tmp_path / "empty.csv", CsvForm())
    with pytest.raises(DataError, match="1 rows of readings"):
        csv_recording(csv_file(tmp_path, TITLES, [line(0)]), CsvForm())


def test_options_are_checked_before_the_file_is() -> None:
    with pytest.raises(ConfigurationError, match="--column speed=v: give QUANTITY=TITLE"):
        csv_form(["speed=v"], None, None, None, None)
    with pytest.raises(ConfigurationError, match="--gyro-unit rpm: must be one of rad/s, deg/s"):
        csv_form([], None, None, "rpm", None)
    assert csv_form(["acc_x=a=b"], "s", "g", None, None).columns == {"acc_x": "a=b"}
