"""`imustream scale`: give a pipeline another number of slots while it runs."""

import json
from typing import Annotated

import typer

_EXAMPLE = "Example: imustream scale sensor-processing --slots 3"
_TIMEOUT_S = 60.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLE)(scale)


def scale(
    pipeline: Annotated[str, typer.Argument(help="The pipeline, such as sensor-processing.")],
    slots: Annotated[int, typer.Option(min=1, max=10, help="Slots (processes) it shall have.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Set the number of slots of a pipeline, and wait until they own every partition.

    Nothing is lost and nothing is doubled; the pipeline pauses for about a second.
    """
    from rich.console import Console

    from pipelines.control import change_control
    from pipelines.generation import GenerationProgress, wait_for_generation
    from pipelines.settings import load_settings
    from pipelines.topics import PARTITIONS

    settings = load_settings()
    change_control(settings.kafka, pipeline, slots=slots)
    console = Console(stderr=True)
    with console.status(f"{pipeline}: asking for {slots} slots") as status:

        def show(progress: GenerationProgress) -> None:
            status.update(
                f"{pipeline}: generation {progress.generation} with {progress.slots} slots owns "
                f"{progress.partitions} of {PARTITIONS} partitions"
            )

        done = wait_for_generation(settings, pipeline, _TIMEOUT_S, show)
    if as_json:
        report = {"pipeline": pipeline, "slots": done.slots, "generation": done.generation}
        typer.echo(json.dumps(report))
    else:
        typer.echo(f"{pipeline} runs on {done.slots} slots (generation {done.generation})")
