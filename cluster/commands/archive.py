"""`imustream archive`: how far the Parquet archive is, and the proof that it holds everything."""

import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipelines.archive.progress import TopicProgress
    from pipelines.verify.stage_result import StageRow

_EXAMPLES = "Examples: imustream archive status | imustream archive verify --json"
_DIFFERENCES_SHOWN = 20

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    archive = typer.Typer(no_args_is_help=True, help=__doc__)
    archive.command(epilog="Example: imustream archive status --json")(status)
    archive.command(epilog="Example: imustream archive verify --json")(verify)
    app.add_typer(archive, name="archive", epilog=_EXAMPLES)


def status(as_json: _Json = False) -> None:
    """Show for each topic how far it is archived, and what waits."""
    import msgspec

    from pipelines.archive.progress import archive_progress
    from pipelines.settings import load_settings

    settings = load_settings()
    found = archive_progress(settings)
    if as_json:
        topics = [
            {
                **msgspec.to_builtins(one, str_keys=True),
                "waiting_s": _ago(one.oldest_us),
                "committed_s": _ago(one.committed_us),
            }
            for one in found
        ]
        typer.echo(json.dumps({"url": settings.archive.url, "topics": topics}))
    else:
        _print_status(settings.archive.url, settings.archive.max_staleness_s, found)


def verify(as_json: _Json = False) -> None:
    """Prove that the files of each topic and partition abut and hold what the topic holds.

    Exits with 1 where a row is lost, doubled or wrong, or a file is missing, unreadable or not of
    the archive; what is not archived yet is lag, not loss.
    """
    from dataclasses import asdict

    from pipelines.settings import load_settings
    from pipelines.verify.parquet import verify_parquet

    began_s = time.monotonic()
    settings = load_settings()
    if as_json:
        rows = verify_parquet(settings, lambda _partition, _done, _total: None)
    else:
        from rich.console import Console

        console = Console(stderr=True)
        with console.status("reading the archive") as shown:

            def show(partition: int, done: int, total: int) -> None:
                shown.update(f"partition {partition}: {done:,} of {total:,} offsets")

            rows = verify_parquet(settings, show)
    seconds = time.monotonic() - began_s
    ok = not any(row.lost or row.doubled or row.wrong for row in rows)
    if as_json:
        stages = [{**asdict(row), "differences": [*map(str, row.differences)]} for row in rows]
        typer.echo(json.dumps({"ok": ok, "seconds": round(seconds, 1), "stages": stages}))
    else:
        _print_verified(rows, seconds)
    if not ok:
        raise typer.Exit(1)


def _ago(time_us: int | None) -> float | None:
    return None if time_us is None else round(time.time() - time_us / 1e6, 1)


def _print_status(url: str, staleness_s: float, found: "list[TopicProgress]") -> None:
    from rich.table import Table

    from cluster.table_console import table_console

    titles = ("Topic", "Rows", "Files", "MB", "Lag", "Oldest waits", "Committed")
    table = Table(*titles, box=None, pad_edge=False)
    for one in found:
        waits, committed = _ago(one.oldest_us), _ago(one.committed_us)
        table.add_row(
            one.topic,
            f"{one.rows:,}",
            f"{one.files:,}",
            f"{one.bytes / 1e6:,.1f}",
            f"{one.lag:,}",
            "" if waits is None else f"{waits:,.0f} s",
            "never" if committed is None else f"{committed:,.0f} s ago",
        )
    console = table_console()
    console.print(f"Archive: {url} (a record waits {staleness_s:g} s at most)", markup=False)
    console.print(table)


def _print_verified(rows: "list[StageRow]", seconds: float) -> None:
    from rich.table import Table

    from cluster.table_console import table_console

    names = ("files", "rows", "compared")
    table = Table("Topic", *names, "lost", "doubled", "wrong", "lag", box=None, pad_edge=False)
    for stage in dict.fromkeys(row.stage for row in rows):
        mine = [row for row in rows if row.stage == stage]
        checked = [sum(row.checked.get(name, 0) for row in mine) for name in names]
        found = [sum(getattr(row, n) for row in mine) for n in ("lost", "doubled", "wrong", "lag")]
        table.add_row(
            stage.removeprefix("archive of "), *(f"{value:,}" for value in [*checked, *found])
        )
    console = table_console()
    console.print(table)
    differences = [difference for row in rows for difference in row.differences]
    for line in [note for row in rows for note in row.notes]:
        console.print(f"Note: {line}", markup=False)
    for difference in differences[:_DIFFERENCES_SHOWN]:
        console.print(str(difference), markup=False)
    lost, doubled, wrong = (sum(getattr(r, n) for r in rows) for n in ("lost", "doubled", "wrong"))
    verdict = (
        f"{lost} lost, {doubled} doubled, {wrong} wrong"
        if lost or doubled or wrong
        else "Nothing is lost, nothing is doubled"
    )
    compared = sum(row.checked.get("compared", 0) for row in rows)
    console.print(f"{verdict}: {compared:,} rows compared in {seconds:.1f} s.")
