"""`imustream down`: stop the local stack."""

import typer

from cluster.local.progress import shown_progress


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: imustream down")(down)


def down() -> None:
    """Stop everything that `up` started, and nothing else. The data stay."""
    from cluster.local.stack import Stack
    from pipelines.settings import load_settings

    stack = Stack(load_settings())
    was_up = stack.folder.record() is not None
    with shown_progress() as show:
        stack.down(show)
    typer.echo("imustream is down; its data are kept." if was_up else "imustream was not up.")
