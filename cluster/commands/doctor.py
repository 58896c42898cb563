"""`imustream doctor`: look at every tool and server, and say what to do."""

import json
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Examples: imustream doctor | imustream doctor --json")(doctor)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check the tools, the room and the servers. Exit code 1 if anything needs doing."""
    from cluster.local.diagnosis import findings
    from pipelines.settings import load_settings

    found = list(findings(load_settings()))
    if as_json:
        typer.echo(json.dumps({"findings": [finding._asdict() for finding in found]}))
    else:
        from rich.console import Console

        console = Console(highlight=False, soft_wrap=True)
        for finding in found:
            sign = "[green]ok  [/]" if finding.well else "[red]MEND[/]"
            console.print(f"{sign} {finding.subject}: {finding.seen}")
            if not finding.well:
                console.print(f"       {finding.remedy}")
    if not all(finding.well for finding in found):
        raise typer.Exit(1)
