"""`imustream pause` and `imustream resume`: stop a pipeline's slots in good order, start them."""

from typing import Annotated

import typer

_Pipeline = Annotated[str, typer.Argument(help="The pipeline, such as sensor-processing.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: imustream pause sensor-processing")(pause)
    app.command(epilog="Example: imustream resume sensor-processing")(resume)


def pause(pipeline: _Pipeline) -> None:
    """Stop a pipeline's slots after their present transaction; its input waits in Kafka."""
    _set(pipeline, paused=True)


def resume(pipeline: _Pipeline) -> None:
    """Start a paused pipeline's slots where they stopped."""
    _set(pipeline, paused=False)


def _set(pipeline: str, *, paused: bool) -> None:
    from pipelines.control import change_control
    from pipelines.settings import load_settings

    change_control(load_settings().kafka, pipeline, paused=paused)
    typer.echo(f"{pipeline} is to be {'paused' if paused else 'running'}")
