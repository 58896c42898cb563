"""`imustream dead-letters`: what could not be processed, and why."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipelines.redrive.letter import Letter
    from pipelines.redrive.letter_reader import LetterPage
    from pipelines.redrive.redriven_letters import RedrivenLetters

Reason = Annotated[str | None, typer.Option(help="Only with this reason, as crc_mismatch.")]
Pipeline = Annotated[str | None, typer.Option(help="Only those that this pipeline refused.")]
Sensor = Annotated[str | None, typer.Option(help="Only of this sensor.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_LIST_EXAMPLES = (
    "Examples: imustream dead-letters list --reason crc_mismatch | imustream dead-letters list "
    "--sensor sensor1 --json | jq .dead_letters[].detail"
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="What could not be processed, and why.", no_args_is_help=True)
    group.command("list", epilog=_LIST_EXAMPLES)(list_letters)
    group.command(epilog="Example: imustream dead-letters show 3/1042")(show)
    group.command(epilog="Example: imustream dead-letters export --to letters")(export)
    app.add_typer(group, name="dead-letters")


def list_letters(
    reason: Reason = None,
    pipeline: Pipeline = None,
    sensor: Sensor = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="`next` of a page before.")] = None,
    as_json: Json = False,
) -> None:
    """List dead letters, the newest first."""
    from pipelines.redrive.choice import LetterChoice
    from pipelines.redrive.letter_reader import LetterReader, read_redriven
    from pipelines.settings import load_settings

    kafka = load_settings().kafka
    with LetterReader(kafka) as reader:
        page = reader.page(LetterChoice(reason, pipeline, sensor), limit, cursor)
    redriven = read_redriven(kafka, sorted({letter.partition for letter in page.letters}))
    if as_json:
        typer.echo(json.dumps(_as_json(page, redriven), ensure_ascii=False))
    else:
        _print(page, redriven)


def show(
    letter: Annotated[str, typer.Argument(help="PARTITION/OFFSET, as `list` gives it.")],
    as_json: Json = False,
) -> None:
    """Show one letter: its headers, its bytes, and what the scanner says about them."""
    from cluster.letter_lines import facts, hexdump, scanned
    from pipelines.errors import NotFoundError
    from pipelines.redrive.choice import why_not_redriven
    from pipelines.redrive.letter_reader import LetterReader, read_redriven
    from pipelines.settings import load_settings

    settings = load_settings()
    kafka = settings.kafka
    partition, offset = place_of(letter)
    with LetterReader(kafka) as reader:
        found = reader.letter(partition, offset)
    if found is None:
        raise NotFoundError(f"there is no dead letter {letter}; see `imustream dead-letters list`")
    known = facts(found, offset in read_redriven(kafka, [partition])[partition])
    known["not_redriven_because"] = why_not_redriven(found)
    if as_json:
        typer.echo(json.dumps(known | {"payload_hex": found.value.hex()}, ensure_ascii=False))
        return
    for name, value in known.items():
        typer.echo(f"{name:<20} {value}")
    typer.echo()
    for line in hexdump(found.value):
        typer.echo(line)
    typer.echo()
    for line in scanned(found.value, settings.processing.sample_rate_hz):
        typer.echo(line)


def export(
    to: Annotated[Path, typer.Option(help="Folder to write to; made if it is missing.")],
    reason: Reason = None,
    pipeline: Pipeline = None,
    sensor: Sensor = None,
) -> None:
    """Write the bytes of each letter to a file, and a line about each to letters.jsonl."""
    from cluster.letter_lines import facts
    from pipelines.redrive.choice import LetterChoice
    from pipelines.redrive.letter_reader import LetterReader, read_redriven
    from pipelines.settings import load_settings

    kafka = load_settings().kafka
    redriven = read_redriven(kafka)
    to.mkdir(parents=True, exist_ok=True)
    count = 0
    with LetterReader(kafka) as reader, (to / "letters.jsonl").open("w") as lines:
        for letter in reader.oldest_first(LetterChoice(reason, pipeline, sensor)):
            name = f"{letter.partition}-{letter.offset}.bin"
            (to / name).write_bytes(letter.value)
            known = facts(letter, letter.offset in redriven[letter.partition])
            lines.write(json.dumps({"file": name, **known}, ensure_ascii=False) + "\n")
            count += 1
    typer.echo(f"{count} letters are in {to}")


def place_of(text: str) -> tuple[int, int]:
    """Return partition and offset of ``PARTITION/OFFSET``.

    Raises:
        DataError: it is not of that form.
    """
    from pipelines.errors import DataError

    partition, _, offset = text.partition("/")
    if not (partition.isdecimal() and offset.isdecimal() and len(offset) <= 18):
        raise DataError(f"{text!r} names no dead letter: give PARTITION/OFFSET, as 3/1042")
    return int(partition), int(offset)


def _as_json(page: "LetterPage", redriven: "dict[int, RedrivenLetters]") -> dict[str, object]:
    from cluster.letter_lines import facts

    return {
        "dead_letters": [facts(letter, _known(letter, redriven)) for letter in page.letters],
        "next": page.next,
        "reasons": page.reasons,
    }


def _print(page: "LetterPage", redriven: "dict[int, RedrivenLetters]") -> None:
    from rich.table import Table

    from cluster.letter_lines import COLUMNS, cells
    from cluster.table_console import table_console

    console = table_console()
    if not page.letters:
        console.print("No dead letter matches" + (" so far." if page.next else "."))
    else:
        table = Table(box=None, pad_edge=False)
        for name in COLUMNS:
            table.add_column(name, no_wrap=True)
        for letter in page.letters:
            table.add_row(*cells(letter, _known(letter, redriven)))
        console.print(table)
    if page.next is not None:
        console.print(f"\nThere are more: --cursor {page.next}")


def _known(letter: "Letter", redriven: "dict[int, RedrivenLetters]") -> bool:
    return letter.offset in redriven[letter.partition]
