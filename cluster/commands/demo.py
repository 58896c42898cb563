"""`imustream demo`: the whole system with simulated sensors, until Ctrl-C."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cluster.local.demo import Outcome
    from cluster.local.stack import Stack

_EXAMPLES = "Examples: imustream demo | imustream demo --seconds 30"
_LEAST_SECONDS = 10


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLES)(demo)


def demo(
    seconds: Annotated[
        int | None,
        typer.Option(
            min=_LEAST_SECONDS,
            envvar="DEMO_SECONDS",
            help="End after this long and print what went through; else run until Ctrl-C.",
        ),
    ] = None,
) -> None:
    """Start everything with 20 simulated sensors, and print a link to the dashboard.

    What it started it stops at the end. Exit code 1 if a frame or sample was lost or doubled.
    """
    from cluster.local.interrupts import ignore_signals, signals_as_interrupt
    from cluster.local.mosquitto import LOOPBACK
    from cluster.local.progress import shown_progress
    from cluster.local.stack import Stack
    from pipelines.settings import load_settings

    settings = load_settings()
    if "mqtt_anonymous" not in settings.local.model_fields_set:
        # Nothing listens beyond this machine, and a trial should need no credentials.
        settings.local.mqtt_anonymous = settings.local.mqtt_bind == LOOPBACK
    stack = Stack(settings)
    was_up = stack.is_up()
    ending = "imustream keeps running: stop it with `imustream down`."
    lost = False
    with signals_as_interrupt():
        try:
            with shown_progress() as show:
                stack.up(show)
            if seconds is None:
                _run_until_interrupted(stack)
            else:
                lost = _run_for(stack, seconds)
        except KeyboardInterrupt:
            typer.echo("")
        finally:
            ignore_signals()
            if not was_up:
                with shown_progress() as show:
                    stack.down(show)
                ending = "Everything is stopped; the data are kept."
            typer.echo(ending)
    if lost:
        raise typer.Exit(1)


def _run_until_interrupted(stack: "Stack") -> None:
    from cluster.local.demo import SENSORS, running_fleet
    from pipelines.errors import UnavailableError
    from serve.auth import login_link

    with running_fleet(stack) as fleet:
        typer.echo(f"\n{SENSORS} sensors are moving. Open\n\n  {login_link(stack.settings)}\n")
        typer.echo("The link logs one browser in, once. Ctrl-C stops everything.")
        fleet.wait()
        raise UnavailableError(f"the simulator ended; {stack.supervision.last_words('simulator')}")


def _run_for(stack: "Stack", seconds: int) -> bool:
    """Run the fleet for that long and print what became of it. Returns whether any was lost."""
    from rich.console import Console

    from cluster.local.demo import measured_demo
    from serve.auth import login_link

    typer.echo(f"Dashboard: {login_link(stack.settings)}")
    console = Console(stderr=True, highlight=False)
    with console.status("demo") as status:

        def report(event: str) -> None:
            status.update(f"demo: {event}")

        outcome = measured_demo(stack, seconds, report)
    _print(outcome)
    return outcome.lost > 0 or outcome.doubled > 0


def _print(outcome: "Outcome") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("Stage", box=None, pad_edge=False)
    for heading in ("Frames", "Samples", "Lost", "p50 ms", "p99 ms"):
        table.add_column(heading, justify="right")
    for stage in outcome.stages:
        table.add_row(stage.name, *("" if value is None else str(value) for value in stage[1:]))
    Console(highlight=False).print(table)
    typer.echo(f"lost: {outcome.lost}, doubled: {outcome.doubled}")
