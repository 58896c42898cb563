"""`imustream tail`: print the records of a topic as they are committed."""

from enum import StrEnum
from typing import Annotated

import typer

_EXAMPLES = (
    "Examples: imustream tail transformed sensor1 | imustream tail dead-letters --from-beginning "
    "| imustream tail aggregated --json -n 10 | jq .window.acc_mag"
)


class Stream(StrEnum):
    """What can be followed."""

    RAW = "raw"
    TRANSFORMED = "transformed"
    AGGREGATED = "aggregated"
    SESSIONS = "sessions"
    DEAD_LETTERS = "dead-letters"
    CONTROL = "control"
    LEDGER = "ledger"
    SESSION_LEDGER = "session-ledger"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLES)(tail)


def tail(
    stream: Annotated[Stream, typer.Argument(help="What to follow.")],
    sensor: Annotated[str | None, typer.Argument(help="Only this sensor.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Start with the oldest record kept.")
    ] = False,
    count: Annotated[
        int | None, typer.Option("-n", min=1, help="Stop after this many lines; else at Ctrl-C.")
    ] = None,
) -> None:
    """Print records as they are committed, straight from Kafka, one line each.

    A line is: time of the record (UTC), partition@offset, sensor, what it says.
    """
    from cluster.record_lines import entries, json_line, line
    from cluster.topic_tail import follow
    from pipelines import topics
    from pipelines.partitioner import partition_of
    from pipelines.settings import load_settings

    topic = {
        Stream.RAW: topics.RAW,
        Stream.TRANSFORMED: topics.TRANSFORMED,
        Stream.AGGREGATED: topics.AGGREGATED,
        Stream.SESSIONS: topics.SESSIONS,
        Stream.DEAD_LETTERS: topics.DEAD_LETTERS,
        Stream.CONTROL: topics.CONTROL,
        Stream.LEDGER: topics.SENSOR_PROCESSING_CHANGELOG,
        Stream.SESSION_LEDGER: topics.SESSION_AGGREGATION_CHANGELOG,
    }[stream]
    if sensor is not None and stream in (Stream.CONTROL, Stream.LEDGER, Stream.SESSION_LEDGER):
        raise typer.BadParameter(f"{stream.value} is not kept by sensor: leave it out")
    partitions = range(1 if stream is Stream.CONTROL else topics.PARTITIONS)
    wanted = partitions if sensor is None else [partition_of(sensor)]
    printed = 0
    try:
        for record in follow(load_settings().kafka, topic, wanted, from_beginning):
            for entry in entries(record):
                if sensor not in (None, entry.sensor_id):
                    continue
                print((json_line if as_json else line)(record, entry), flush=True)
                printed += 1
                if printed == count:
                    return
    except KeyboardInterrupt:
        return
