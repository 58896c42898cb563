"""`imustream up`: start the local stack in the background."""

from typing import Annotated

import typer

from cluster.local.progress import shown_progress

_EXAMPLES = (
    "Examples: imustream up | imustream up --brokers 3 | imustream up --s3 | "
    "imustream up --monitoring"
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLES)(up)


def up(
    brokers: Annotated[
        int | None,
        typer.Option(min=1, max=3, help="Kafka brokers: 1, or 3 with replication 3."),
    ] = None,
    s3: Annotated[
        bool, typer.Option("--s3", help="Run an S3 server too; archive and models are kept there.")
    ] = False,
    monitoring: Annotated[
        bool, typer.Option("--monitoring", help="Run Prometheus, with alerts, and its exporter.")
    ] = False,
) -> None:
    """Start every server and pipeline of the local stack, in the background.

    Run again, it starts what is missing. Data, logs and the log-in key lie in the state folder.
    """
    from cluster.local.prometheus import prometheus_url
    from cluster.local.stack import Stack
    from pipelines.settings import load_settings
    from serve.auth import login_link

    chosen: dict[str, int] = {} if brokers is None else {"brokers": brokers}
    if s3:
        chosen["s3"] = True
    if monitoring:
        chosen["monitoring"] = True
    stack = Stack(load_settings(local=chosen))
    with shown_progress() as show:
        started = stack.up(show)
    typer.echo("imustream is up." if started else "imustream was up already.")
    typer.echo(f"Dashboard: {login_link(stack.settings)}")
    if stack.settings.local.monitoring:
        typer.echo(f"Prometheus: {prometheus_url(stack.settings)}")
    typer.echo("Stop it with `imustream down`; `imustream status` shows its parts.")
