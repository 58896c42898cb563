"""`imustream status`: what of the local stack runs, and how the pipelines do."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from cluster.local.stack import Stack
    from pipelines.settings import Settings


_SHOWN_COUNTS = ("frames", "windows", "events", "documents", "rows", "files", "dead_letters")
"""What is told of a pipeline's counts, where it has them; `--json` tells all."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Examples: imustream status | imustream status --json")(status)


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the processes, their ports and the pipelines. Exit code 1 unless all of it runs."""
    from cluster.local.stack import Stack
    from pipelines.settings import load_settings

    settings = load_settings()
    stack = Stack(settings)
    processes = _processes(stack)
    pipelines = _pipelines(settings) if stack.is_up() else []
    up = bool(processes) and all(row["state"] == "running" for row in processes)
    if as_json:
        typer.echo(json.dumps({"up": up, "processes": processes, "pipelines": pipelines}))
    else:
        _print(stack, processes, pipelines)
    if not up:
        raise typer.Exit(1)


def _processes(stack: "Stack") -> list[dict[str, Any]]:
    ports = {server.name: [p.number for p in server.ports] for server in stack.servers()}
    return [
        {
            "name": process.name,
            "state": process.state,
            "pid": process.pid,
            "uptime_s": process.uptime_s,
            "ports": ports.get(process.name, []),
        }
        for process in stack.processes()
    ]


def _pipelines(settings: "Settings") -> list[dict[str, Any]]:
    from cluster.local.pipeline_status import pipeline_status
    from pipelines.errors import UnavailableError

    try:
        return [report.model_dump() for report in pipeline_status(settings)]
    except UnavailableError as error:
        return [{"name": "pipelines", "state": "unknown", "alarm": str(error)}]


def _print(
    stack: "Stack", processes: list[dict[str, Any]], pipelines: list[dict[str, Any]]
) -> None:
    from rich.table import Table

    from cluster.local.prometheus import prometheus_url
    from cluster.table_console import table_console

    console = table_console()
    if not processes:
        console.print(f"imustream is not up ({stack.folder.path}): start it with `imustream up`")
        return
    table = Table("Process", "State", "PID", "Up for", "Ports", box=None, pad_edge=False)
    for row in processes:
        ports = " ".join(map(str, row["ports"]))
        table.add_row(row["name"], row["state"], str(row["pid"]), f"{row['uptime_s']} s", ports)
    console.print(table)
    for one in pipelines:
        console.print(_pipeline_line(one))
    if stack.settings.local.monitoring:
        console.print(f"\nPrometheus: {prometheus_url(stack.settings)}")


def _pipeline_line(one: dict[str, Any]) -> str:
    if "lag" not in one:
        return f"\n{one['name']}: {one['state']} ({one['alarm']})"
    counts = one["counts"]
    lag = "unknown" if one["lag"] is None else one["lag"]
    what = [f"{one['running_slots']} of {one['slots']} slots", f"lag {lag}", _rate(one)]
    what += [f"{counts[name]} {name.replace('_', ' ')}" for name in _SHOWN_COUNTS if name in counts]
    return f"\n{one['name']}: {one['state']}, {', '.join(what)}" + (
        f"\n  alarm: {one['alarm']}" if one["alarm"] else ""
    )


def _rate(one: dict[str, Any]) -> str:
    if "samples" in one["counts"]:
        return f"{one['samples_per_s']:.0f} samples/s"
    return f"{one['records_per_s']:.0f} records/s"
