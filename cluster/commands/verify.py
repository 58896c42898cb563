"""`imustream verify`: prove from the topics that nothing was lost, doubled or altered."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from pipelines.verify import VerifyResult

_EXAMPLE = (
    "Examples: imustream simulate --seconds 30 --report sent.json && "
    "imustream verify --report sent.json | imustream verify --stage archive --stage ml-inference"
)

_COLUMNS = {
    "partition": "part",
    "frames": "frames",
    "transformed": "transf.",
    "duplicates": "dupl.",
    "heartbeats": "beats",
    "dead_letters": "dead",
    "samples_transformed": "samples",
    "windows": "windows",
    "lost": "lost",
    "doubled": "doubled",
    "wrong": "wrong",
    "lag": "lag",
}
_SUMS = ("lost", "doubled", "wrong", "lag")
_DIFFERENCES_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLE)(verify)


def verify(
    report: Annotated[
        Path | None,
        typer.Option(
            help="What `imustream simulate --report` wrote: prove publish -> Kafka too.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    stage: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this pipeline, repeatable: sensor-processing, ml-inference, "
            "session-aggregation, session-writer, archive."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Prove that every byte received is accounted for, and every result of it, exactly once.

    Reads every topic, the ledgers, the documents in MongoDB and the archive's files, and computes
    windows, sessions and (of some sensors) predictions again. Exits with 1 where anything is lost,
    doubled or wrong; input not yet processed is lag, not loss, but what a given report cannot be
    compared with is not proved: exit code 1 too.
    """
    from pipelines.settings import load_settings
    from pipelines.verify import STAGES
    from pipelines.verify import verify as verify_topics

    settings = load_settings()
    stages = stage or STAGES
    if as_json:
        result = verify_topics(settings, report, stages=stages)
        typer.echo(json.dumps(result.as_json(), ensure_ascii=False))
    else:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        console = Console(stderr=True)
        with Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        ) as bar:
            task = bar.add_task("Reading", total=None)

            def show(stage: str, partition: int, done: int, total: int) -> None:
                bar.update(
                    task, description=f"{stage} {partition}", completed=done, total=total or None
                )

            result = verify_topics(settings, report, show, stages)
        _print(result)
    if not result.ok:
        raise typer.Exit(1)


def _print(result: "VerifyResult") -> None:
    from cluster.table_console import table_console

    console = table_console()
    if result.partitions:
        console.print(_partitions_table(result))
    redriven = sum(row.redriven for row in result.partitions)
    if redriven:
        console.print(f"Among them {redriven:,} dead letters that were redriven.")
    for line in _stage_lines(result):
        console.print(line, markup=False)
    for unproved in result.unproved:
        console.print(unproved, markup=False)
    for note in result.notes:
        console.print(f"Note: {note}", markup=False)
    for difference in result.differences[:_DIFFERENCES_SHOWN]:
        console.print(str(difference), markup=False)
    verdict = (
        "Nothing is lost, nothing is doubled"
        if result.ok
        else f"{result.lost} lost, {result.doubled} doubled, {result.wrong} wrong"
    )
    if result.unproved:
        verdict += ", publish -> Kafka not proved"
    console.print(
        f"{verdict}: {result.samples:,} samples checked in {result.seconds:.1f} s, "
        f"lag {result.lag:,}."
    )


def _partitions_table(result: "VerifyResult") -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(
        title="What sensor_processing made of imu-data-all",
        box=SIMPLE_HEAD,
        padding=0,
        show_edge=False,
    )
    for title in _COLUMNS.values():
        table.add_column(title, justify="right", no_wrap=True)
    for row in result.partitions:
        table.add_row(*(f"{getattr(row, name):,}" for name in _COLUMNS))
    table.add_section()
    totals = [sum(getattr(row, name) for row in result.partitions) for name in [*_COLUMNS][1:]]
    table.add_row("all", *(f"{total:,}" for total in totals))
    return table


def _stage_lines(result: "VerifyResult") -> "Iterator[str]":
    """Give a line for each stage after the first, summed over its partitions."""
    from collections import Counter

    for stage in dict.fromkeys(row.stage for row in result.stages):
        rows = [row for row in result.stages if row.stage == stage]
        checked: Counter[str] = Counter()
        for row in rows:
            checked.update(row.checked)
        sums = ", ".join(f"{name} {sum(getattr(row, name) for row in rows):,}" for name in _SUMS)
        words = ", ".join(
            f"{number:,} {name.replace('_', ' ')}" for name, number in checked.items()
        )
        yield f"{stage}: {sums} ({words})"
