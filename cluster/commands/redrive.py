"""`imustream redrive`: send dead letters through again, once their cause is mended."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.commands.dead_letters import Json, Pipeline, Reason, Sensor, place_of

if TYPE_CHECKING:
    from pipelines.redrive.choice import LetterChoice
    from pipelines.redrive.letter import Letter
    from pipelines.redrive.letter_reader import LetterReader

_EXAMPLES = (
    "Examples: imustream redrive --reason implausible_timestamp --dry-run | imustream redrive "
    "--sensor sensor1 | imustream redrive 3/1042 3/1044"
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLES)(redrive)


def redrive(
    letters: Annotated[
        list[str] | None, typer.Argument(help="PARTITION/OFFSET of each; else those chosen below.")
    ] = None,
    reason: Reason = None,
    pipeline: Pipeline = None,
    sensor: Sensor = None,
    everything: Annotated[bool, typer.Option("--all", help="All letters there are.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Only say what would be done.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait until the slots have stepped them.")] = True,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait at most.")] = 120.0,
    as_json: Json = False,
) -> None:
    """Hand dead letters to the pipeline that refused them, each once however often this is run.

    What fails again is a new dead letter. It takes the pipeline's running slots to step them.
    """
    from rich.console import Console

    from cluster.letter_lines import summary
    from pipelines.errors import ConfigurationError
    from pipelines.redrive.choice import LetterChoice
    from pipelines.redrive.letter_reader import LetterReader, read_redriven
    from pipelines.redrive.redrive import RedriveReport
    from pipelines.redrive.redrive import redrive as redrive_letters
    from pipelines.settings import load_settings

    choice = LetterChoice(reason, pipeline, sensor)
    if sum((bool(letters), choice != LetterChoice(), everything)) != 1:
        raise ConfigurationError(
            "say which dead letters: PARTITION/OFFSET of some; or --reason, --pipeline, --sensor; "
            "or --all"
        )
    kafka = load_settings().kafka
    redriven = read_redriven(kafka)
    console = Console(stderr=True)
    with LetterReader(kafka) as reader, console.status("reading dead letters") as status:

        def show(report: RedriveReport) -> None:
            status.update(
                f"{report.matched} match, {report.requested} requested, {report.redriven} redriven"
            )

        report = redrive_letters(
            kafka,
            _chosen(reader, letters, choice),
            redriven,
            dry_run=dry_run,
            wait_s=timeout if wait else 0.0,
            show=show,
        )
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        for line in summary(report, dry_run):
            typer.echo(line)
    if wait and report.pending:
        raise typer.Exit(1)


def _chosen(
    reader: "LetterReader", places: list[str] | None, choice: "LetterChoice"
) -> "Iterable[Letter]":
    return _named(reader, places) if places else reader.oldest_first(choice)


def _named(reader: "LetterReader", places: list[str]) -> "list[Letter]":
    """Return all of them before any is requested, so that a slip of the pen redrives none."""
    from pipelines.errors import NotFoundError

    found = []
    for place in dict.fromkeys(map(place_of, places)):
        letter = reader.letter(*place)
        if letter is None:
            raise NotFoundError(f"there is no dead letter {place[0]}/{place[1]}")
        found.append(letter)
    return found
