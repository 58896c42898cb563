"""`imustream trace`: where one sample is or was, stage by stage."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.trace.where import Where

if TYPE_CHECKING:
    from cluster.trace.stage import Trace

_EXAMPLES = (
    "Examples: imustream trace sensor1 12800 | imustream trace sensor1 12800 --boot 2 "
    "--where archive | imustream trace sensor1 --latest | imustream trace imu-data-all/3/918273"
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLES)(trace)


def trace(
    sensor: Annotated[
        str, typer.Argument(help="The sensor's id; or the id of a frame, as a trace names it.")
    ],
    sample: Annotated[
        int | None, typer.Argument(min=0, help="The sample's number; left out with --latest.")
    ] = None,
    boot: Annotated[
        int | None,
        typer.Option(min=0, help="How often its numbering had restarted; else the newest boot."),
    ] = None,
    where: Annotated[
        Where, typer.Option(help="Look in Kafka, in the archive, or first here then there.")
    ] = Where.AUTO,
    within: Annotated[
        float, typer.Option(min=0.1, help="Seconds that may be looked for it at most.")
    ] = 30.0,
    disorder: Annotated[
        float, typer.Option(min=0, help="Seconds that it may have come after its successors.")
    ] = 60.0,
    latest: Annotated[
        bool, typer.Option("--latest", help="Follow the sensor's next frame as it comes.")
    ] = False,
    live_url: Annotated[
        str | None,
        typer.Option(
            help="With --latest: the api whose WebSocket is listened to, as in wss://host, with "
            "a token in IMUSTREAM_TOKEN; else this machine's."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show where a sample is or was: times, offsets, files, and what has not come yet.

    Times are of who wrote the record there, and how long after the bridge's reception that was.
    A line begins with + where the sample is, . where it has not come yet, - where it does not
    come, ? where that cannot be told. Exit code 1 where it is not found.
    """
    from cluster.trace.trace_id import first_sample, is_trace_id
    from cluster.trace.trace_lines import lines
    from pipelines.settings import load_settings

    if is_trace_id(sensor) and not latest and sample is None:
        sensor, sample, boot = first_sample(load_settings(), sensor, within)
    if (sample is None) is not latest:
        raise typer.BadParameter("name the number of a sample, or --latest")
    if latest:
        found = _follow(sensor, within, live_url, quiet=as_json)
    elif sample is not None:
        found = _look(sensor, sample, boot, where, within, disorder)
        if not as_json:
            for line in lines(found):
                typer.echo(line)
    if as_json:
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False, default=str))
    if not found.found:
        raise typer.Exit(1)


def _look(
    sensor: str, sample: int, boot: int | None, where: Where, within_s: float, disorder_s: float
) -> "Trace":
    from cluster.trace.sample_trace import trace_sample
    from pipelines.settings import load_settings

    return trace_sample(
        load_settings(),
        sensor,
        sample,
        boot,
        where=where,
        within_s=within_s,
        disorder_s=disorder_s,
    )


def _follow(sensor: str, within_s: float, live_url: str | None, quiet: bool) -> "Trace":
    from cluster.trace.frame_follow import follow_next_frame
    from cluster.trace.stage import Stage, State
    from cluster.trace.trace_lines import stage_lines
    from pipelines.settings import load_settings

    def show(stage: Stage, received_us: int | None) -> None:
        if not quiet:
            for line in stage_lines(stage, received_us):
                typer.echo(line)

    if not quiet:
        typer.echo(f"Waiting for the next frame of {sensor} ...")
    found = follow_next_frame(load_settings(), sensor, within_s, live_url, show)
    for stage in found.stages:
        if stage.state is not State.HERE:
            show(stage, found.received_us)
    return found
