"""`imustream simulate`: a fleet with plausible motion and faults on request, or real motion."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pipelines.settings import MqttSettings
    from simulator.fleet import Progress, Report
    from simulator.options import FleetOptions
    from simulator.replay_csv import CsvForm

_EXAMPLES = (
    "Examples: imustream simulate --sensors 20 --seconds 60 | "
    "imustream simulate --sensors 1000 --seconds 30 --duplicates 0.01 --bad-crc 0.01 "
    "--report sent.json | imustream simulate --replay seglearn --sensors 7"
)
_FAULTS = "Faults (shares from 0 to 1)"
_OUTPUT = "Output"
_REPLAY = "Replay of recordings"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLES)(simulate)


def _fault(text: str) -> Any:
    return typer.Option(help=text, rich_help_panel=_FAULTS)


def _replay(text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=_REPLAY)


def _file(text: str) -> Any:
    return typer.Option(help=text, rich_help_panel=_OUTPUT, dir_okay=False, writable=True)


def simulate(
    sensors: Annotated[
        int | None, typer.Option(help="How many sensors; 20, or one a recording up to 20.")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Samples a second (Hz); as set.")] = None,
    samples_per_frame: Annotated[int, typer.Option(help="Samples in one frame.")] = 64,
    seconds: Annotated[float | None, typer.Option(help="How long; else until Ctrl-C.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed moves the same way.")] = 0,
    motion: Annotated[str, typer.Option(help="rest, walk, run, jump, turn or mixed.")] = "mixed",
    sensor_prefix: Annotated[str, typer.Option(help="Sensor ids are PREFIX1, ...")] = "sensor",
    as_fast_as_possible: Annotated[
        bool, typer.Option("--as-fast-as-possible", help="Make a backlog: do not pace frames.")
    ] = False,
    duplicates: Annotated[float, _fault("Frames sent twice.")] = 0,
    lost: Annotated[float, _fault("Frames never sent.")] = 0,
    bad_crc: Annotated[float, _fault("Frames with a wrong checksum.")] = 0,
    cut: Annotated[float, _fault("Frames whose end is missing.")] = 0,
    reorder: Annotated[float, _fault("Frames sent after their successor.")] = 0,
    heartbeats: Annotated[float, _fault("Frames followed by one of no samples.")] = 0,
    reboot: Annotated[float, _fault("Sensors that reboot in each 10 s.")] = 0,
    silence: Annotated[float, _fault("Sensors silent for 12-18 s in each 30 s.")] = 0,
    future_clock: Annotated[float, _fault("Sensors with a clock ten years ahead.")] = 0,
    clock_offset: Annotated[float, _fault("Clocks are off by up to this many seconds.")] = 0,
    clock_drift_ppm: Annotated[float, _fault("Clocks drift by up to this (ppm).")] = 0,
    replay: Annotated[
        str | None, _replay("Send recordings: a CSV file, a folder of them, or seglearn.")
    ] = None,
    column: Annotated[
        list[str] | None,
        _replay("Which column is what, such as acc_x=AX; repeat it.", "--column"),
    ] = None,
    time_unit: Annotated[str | None, _replay("s, ms, us or ns.")] = None,
    acc_unit: Annotated[str | None, _replay("g or m/s2.")] = None,
    gyro_unit: Annotated[str | None, _replay("rad/s or deg/s.")] = None,
    mag_unit: Annotated[str | None, _replay("gauss or uT.")] = None,
    max_gap: Annotated[
        float, _replay("Readings further apart (s) leave a gap, nearer ones are interpolated.")
    ] = 0.25,
    report: Annotated[Path | None, _file("Write what was sent as JSON.")] = None,
    ground_truth: Annotated[Path | None, _file("Write the true motion as Parquet.")] = None,
    sent_log: Annotated[Path | None, _file("Write each message's time as Parquet.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report.", rich_help_panel=_OUTPUT)
    ] = False,
) -> None:
    """Publish a fleet's frames over MQTT, simulated or recorded, and report what was sent.

    Recordings are resampled to the rate, each sensor sends one from its beginning to its end, and
    further sensors begin with the first again.
    """
    from pipelines.settings import load_settings
    from simulator.options import DEFAULT_SENSORS, FleetOptions
    from simulator.replay_form import csv_form

    settings = load_settings()
    options = FleetOptions(
        sensors=DEFAULT_SENSORS if sensors is None else sensors,
        rate_hz=settings.processing.sample_rate_hz if rate is None else rate,
        samples_per_frame=samples_per_frame,
        seconds=seconds,
        seed=seed,
        motion=motion,
        sensor_prefix=sensor_prefix,
        duplicates=duplicates,
        lost=lost,
        bad_crc=bad_crc,
        cut=cut,
        reorder=reorder,
        heartbeats=heartbeats,
        reboot=reboot,
        silence=silence,
        future_clock=future_clock,
        clock_offset_s=clock_offset,
        clock_drift_ppm=clock_drift_ppm,
        max_future_s=settings.processing.max_future_s,
        as_fast_as_possible=as_fast_as_possible,
        ground_truth=_writable(ground_truth, "--ground-truth"),
        sent_log=_writable(sent_log, "--sent-log"),
    )
    file = _writable(report, "--report")
    if replay is None:
        sent = _simulate(options, settings.mqtt)
    else:
        form = csv_form(column or [], time_unit, acc_unit, gyro_unit, mag_unit)
        sent = _send_recordings(options, replay, form, max_gap, sensors is None, settings.mqtt)
    _tell(sent, file, as_json)


def _simulate(options: "FleetOptions", mqtt: "MqttSettings") -> "Report":
    """Run the fleet until it ends or is stopped."""
    from simulator.fleet import run

    with _stop_on_signal() as stopped, _shown(options.seconds) as show:
        return run(options, mqtt, show, stopped)


def _send_recordings(
    options: "FleetOptions",
    source: str,
    form: "CsvForm",
    max_gap_s: float,
    sensor_each: bool,
    mqtt: "MqttSettings",
) -> "Report":
    """Replay the source's recordings until they end or it is stopped."""
    from dataclasses import replace

    from simulator.fleet import run_replay
    from simulator.replay_source import recordings_of, replayed

    recordings = recordings_of(source, form, options.sensors)
    if sensor_each:
        options = replace(options, sensors=len(recordings))
    options = replayed(options, recordings)
    with _stop_on_signal() as stopped, _shown(options.seconds) as show:
        return run_replay(options, recordings, max_gap_s, mqtt, show, stopped)


def _tell(sent: "Report", report: Path | None, as_json: bool) -> None:
    """Write and print what was sent."""
    if report is not None:
        sent.write(report)
    if as_json:
        typer.echo(sent.as_json())
        return
    typer.echo(
        f"{sent.messages['published']} messages published, {sent.messages['acknowledged']} "
        f"acknowledged; {sent.expected['samples_transformed']} samples to be transformed"
    )
    if sent.replay is not None:
        typer.echo(
            f"replayed {', '.join(sorted(set(sent.replay.recordings)))}; "
            f"{sum(sent.replay.missing_samples)} samples missing in gaps, "
            f"{sum(sent.replay.saturated_values)} values saturated"
        )


def _writable(path: Path | None, option: str) -> Path | None:
    """Return the path if its folder is there.

    Raises:
        ConfigurationError: it is not.
    """
    from pipelines.errors import ConfigurationError

    if path is not None and not path.parent.is_dir():
        raise ConfigurationError(f"{option} {path}: there is no folder {path.parent}; make it")
    return path


@contextmanager
def _stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM into a request to finish; a second one ends at once."""
    asked = threading.Event()

    def ask(number: int, frame: object) -> None:
        asked.set()
        signal.signal(number, previous[signal.Signals(number)])

    previous = {n: signal.signal(n, ask) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def _shown(seconds: float | None) -> Iterator[Callable[["Progress"], None] | None]:
    """Show progress on a terminal's stderr; nothing where there is none."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich import progress as rich_progress
    from rich.console import Console

    columns = (
        rich_progress.TextColumn("simulate"),
        rich_progress.BarColumn(),
        rich_progress.TimeElapsedColumn(),
        rich_progress.TextColumn(
            "{task.fields[rate]:.0f} frames/s, {task.fields[acknowledged]} acknowledged"
        ),
    )
    with rich_progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=seconds, rate=0.0, acknowledged=0)

        def show(now: "Progress") -> None:
            rate = now.published / max(now.elapsed_s, 1e-6)
            bar.update(task, completed=now.elapsed_s, rate=rate, acknowledged=now.acknowledged)

        yield show
