"""`imustream decode`: what becomes of a captured payload, frame by frame."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.errors import DataError

_EXAMPLES = (
    "Examples: imustream decode --hex 7c1e0e00630000000000ceeeb54006000000cfd9 | "
    "imustream decode captured.jsonl | jq .dead_letters"
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLES)(decode)


def decode(
    file: Annotated[
        Path | None,
        typer.Argument(
            help='Lines of {"mqtt_topic": ..., "payload_hex": ...}; standard input without it.',
            exists=True,
            dir_okay=False,
            allow_dash=True,
        ),
    ] = None,
    payload: Annotated[
        str | None, typer.Option("--hex", metavar="PAYLOAD", help="One payload in hexadecimal.")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Samples a second (Hz); as set.")] = None,
    _as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON lines, as it does without this option too.")
    ] = False,
) -> None:
    """Print a JSON line for each payload: its frames with their samples, and its dead letters.

    Units: acceleration g, rotation rad/s, magnetic field gauss, temperature as sent.
    """
    from pipelines.frame_reading import read_payload
    from pipelines.settings import load_settings

    rate_hz = load_settings().processing.sample_rate_hz if rate is None else rate
    for where, line in _lines(file, payload):
        found = read_payload(_bytes(line["payload_hex"], where), rate_hz)
        print(json.dumps({**line, **found}, ensure_ascii=False))


def _lines(file: Path | None, payload: str | None) -> Iterator[tuple[str, dict[str, Any]]]:
    if payload is not None:
        yield "--hex", {"payload_hex": payload}
        return
    named = file is not None and str(file) != "-"
    source = file.open(encoding="utf-8") if named and file is not None else sys.stdin
    with source:
        for number, text in enumerate(source, 1):
            where = f"{file if named else 'standard input'}, line {number}"
            if text.strip():
                yield where, _line(text, where)


def _line(text: str, where: str) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: no JSON: {error}") from None
    if not isinstance(line, dict) or not isinstance(line.get("payload_hex"), str):
        raise DataError(f"{where}: an object with a text $.payload_hex is needed")
    return line


def _bytes(payload_hex: str, where: str) -> bytes:
    try:
        return bytes.fromhex(payload_hex)
    except ValueError as error:
        raise DataError(f"{where}: $.payload_hex is not hexadecimal: {error}") from None
