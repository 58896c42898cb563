"""`imustream sessions`: the sessions of the sensors, as MongoDB has them."""

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from serve.session_query import SessionQuery
    from serve.session_reader import Page

_LIST_EXAMPLES = (
    "Examples: imustream sessions list --sensor sensor1 | imustream sessions list --state open "
    "--since 2h | imustream sessions list --since 2026-01-31T08:00 --json | jq .sessions[].samples"
)


class State(StrEnum):
    """What a session is at."""

    OPEN = "open"
    CLOSED = "closed"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="List sessions, or show one.", no_args_is_help=True)
    group.command("list", epilog=_LIST_EXAMPLES)(list_sessions)
    group.command(epilog="Example: imustream sessions show sensor1_1760000000000000")(show)
    app.add_typer(group, name="sessions")


def list_sessions(
    sensor: Annotated[str | None, typer.Option(help="Only of this sensor.")] = None,
    state: Annotated[State | None, typer.Option(help="Only open or only closed ones.")] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Only those that started since: a time (UTC), or 90s, 30m, 2h, 7d ago."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="`next` of a page before.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List sessions, the one that started last first; times are the sensors' own, in UTC."""
    import time

    from cluster.session_lines import since_us
    from serve.session_query import SessionQuery

    begin_us = None if since is None else since_us(since, time.time_ns() // 1000)
    page = _page(SessionQuery(sensor, state.value if state else None, begin_us, limit, cursor))
    if as_json:
        typer.echo(json.dumps(page._asdict(), ensure_ascii=False))
        return
    _print(page)


def show(
    session_id: Annotated[str, typer.Argument(help="The session's id.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show all that is known of one session."""
    from cluster.session_lines import facts
    from pipelines.errors import DataError

    found = _session(session_id)
    if found is None:
        raise DataError(f"there is no session {session_id!r}; see `imustream sessions list`")
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    for name, value in facts(found):
        typer.echo(f"{name:<18} {value}")


def _page(query: "SessionQuery") -> "Page":
    import asyncio

    from pipelines.settings import load_settings
    from serve.session_reader import SessionReader

    async def ask() -> "Page":
        reader = SessionReader(load_settings().mongo)
        try:
            return await reader.page(query)
        finally:
            await reader.close()

    return asyncio.run(ask())


def _session(session_id: str) -> dict[str, Any] | None:
    import asyncio

    from pipelines.settings import load_settings
    from serve.session_reader import SessionReader

    async def ask() -> dict[str, Any] | None:
        reader = SessionReader(load_settings().mongo)
        try:
            return await reader.session(session_id)
        finally:
            await reader.close()

    return asyncio.run(ask())


def _print(page: "Page") -> None:
    from rich.table import Table

    from cluster.session_lines import COLUMNS, cells
    from cluster.table_console import table_console

    console = table_console()
    if not page.sessions:
        console.print("No session matches.")
        return
    table = Table(box=None, pad_edge=False)
    for name, justify in COLUMNS:
        table.add_column(name, justify=justify, no_wrap=True)
    for session in page.sessions:
        table.add_row(*cells(session))
    console.print(table)
    if page.next is not None:
        console.print(f"\nThere are more: --cursor {page.next}")
