"""`imustream chaos`: faults under load, and the proof that nothing was lost or doubled."""

import json
from pathlib import Path
from typing import Annotated

import typer

_EXAMPLES = (
    "Examples: imustream chaos --case mongodb --case archive | "
    "imustream chaos --write RELIABILITY.md"
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLES)(chaos)


def chaos(
    case: Annotated[list[str] | None, typer.Option(help="Only this fault; repeatable.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often all of it is done.")] = 1,
    write: Annotated[
        Path | None, typer.Option(help="Put the table between the marks of this file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Strike a stack of its own under load: kill every process, take every server away.

    After each fault `verify` proves every stage with the fleet's own report. Exit code 1 if
    anything was lost, doubled or wrong.
    """
    from rich.console import Console

    from cluster.chaos.cases import CASES
    from cluster.chaos.run import chaos_stack, run_case
    from cluster.chaos.table import markdown, write_into
    from cluster.local.interrupts import signals_as_interrupt
    from pipelines.errors import ConfigurationError

    chosen = case or list(CASES)
    if unknown := [name for name in chosen if name not in CASES]:
        raise ConfigurationError(f"no fault {unknown[0]!r}; there are {', '.join(CASES)}")
    console = Console(stderr=True)
    results = []
    with (
        signals_as_interrupt(),
        console.status("starting a stack") as status,
        chaos_stack() as stack,
    ):
        for name in chosen * rounds:
            result = run_case(stack, name, CASES[name], status.update)
            verdict = "proved" if result.verified.ok else "NOT PROVED"
            console.print(f"{name}: {verdict} in {result.seconds:.0f} s, {result.back_at_work_s}")
            for difference in result.verified.differences[:5]:
                console.print(f"  {difference}", markup=False)
            results.append(result)
            if write is not None:  # after each, so that a run that is ended keeps what it proved
                write_into(write, markdown(results))
    table = markdown(results)
    if as_json:
        shown = [{**r._asdict(), "verified": r.verified.as_json()} for r in results]
        typer.echo(json.dumps(shown))
    else:
        typer.echo(table)
    if not all(result.verified.ok for result in results):
        raise typer.Exit(1)
