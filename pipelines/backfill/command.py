"""The options of `imustream backfill`, which are those of `python -m pipelines.backfill` too."""

import json
from typing import Annotated

import typer

EXAMPLES = (
    "Examples: imustream backfill --target file://backfill | "
    "imustream backfill --from 2026-11-24T10:00Z --to 2026-11-24T11:00Z --sensors 'arm*' "
    "--target s3://lab/arm"
)


def backfill(
    target: Annotated[str, typer.Option(help="file:///folder or s3://bucket/prefix to fill.")],
    start: Annotated[
        str | None, typer.Option("--from", help="First event time: ISO 8601 or microseconds.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Event time to stop before; else the archive's end.")
    ] = None,
    sensors: Annotated[
        str | None, typer.Option(help="Sensor ids or globs, comma-separated; else all.")
    ] = None,
    archive: Annotated[
        str | None, typer.Option(help="The archive to read; else the one that is set.")
    ] = None,
    pipelines: Annotated[
        str,
        typer.Option(
            help="Comma-separated; sensor-processing always runs, ml-inference by request."
        ),
    ] = "sensor-processing,session-aggregation",
    model: Annotated[
        str | None, typer.Option(help="NAME@VERSION for ml-inference; else the stable one.")
    ] = None,
    sample_rate_hz: Annotated[
        float | None, typer.Option(help="Samples a second (Hz); else as set.")
    ] = None,
    parallel: Annotated[
        int, typer.Option(min=0, help="Partitions at once; 0: one for each CPU.")
    ] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a backfill that was cut short.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run the live operators over the archive's raw files, into Parquet files of the same form.

    From the archive's beginning the rows are those of the live run. A later start replays the
    hour before it to know each sensor's state; it then numbers boots from there, and lists the
    sensors that it did not hear for long enough, with the time from which they are exact.
    """
    # What is heavy is imported when it runs, so that --help is quick.
    from pipelines.backfill.chain import parse_pipelines  # noqa: PLC0415
    from pipelines.backfill.run import run_backfill  # noqa: PLC0415
    from pipelines.backfill.sensor_choice import parse_choice  # noqa: PLC0415
    from pipelines.backfill.time_span import parse_span  # noqa: PLC0415
    from pipelines.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    if sample_rate_hz is not None:
        processing = {**settings.processing.model_dump(), "sample_rate_hz": sample_rate_hz}
        settings = load_settings(processing=processing)
    result = run_backfill(
        settings,
        archive=archive or settings.archive.url,
        target=target,
        span=parse_span(start, end),
        sensors=parse_choice(sensors),
        pipelines=parse_pipelines(pipelines),
        model=model,
        parallel=parallel,
        resume=resume,
    )
    typer.echo(json.dumps(result.as_json(), ensure_ascii=False) if as_json else result.text())
