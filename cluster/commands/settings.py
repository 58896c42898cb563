"""`imustream settings`: print every setting."""

import json
import re
from typing import Annotated, Any

import typer
from pydantic import BaseModel, SecretStr

_PIPE_WIDTH = 240
_MASK = "**********"
_SECRET = re.compile("password|secret|pem", re.IGNORECASE)
"""Names of librdkafka's options whose values are secrets."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Examples: imustream settings | imustream settings --json")(settings)


def settings(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print every setting with its value, the variable that sets it, and what it means.

    Secrets are masked. A value is taken from the environment, else from the TOML file that
    IMUSTREAM_CONFIG names (or imustream.toml), else it is the default. While the local stack is
    up, what `imustream up` chose counts too.
    """
    from pipelines.settings import load_settings

    rows = _rows(load_settings(), ())
    if as_json:
        typer.echo(json.dumps(rows))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("Variable", no_wrap=True)
    table.add_column("Value", overflow="fold")
    table.add_column("What it means", overflow="fold")
    for row in rows:
        table.add_row(row["variable"], str(row["value"]), row["description"])
    console = Console()
    # A pipe has no width: one line for each setting, so that grep finds all of it.
    console.width = console.width if console.is_terminal else _PIPE_WIDTH
    console.print(table)


def _rows(model: BaseModel, path: tuple[str, ...]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        here = (*path, name)
        if isinstance(value, BaseModel):
            rows += _rows(value, here)
            continue
        rows.append(
            {
                "setting": ".".join(here),
                "variable": f"IMUSTREAM_{'__'.join(here).upper()}",
                "value": _shown(value),
                "description": field.description or "",
            }
        )
    return rows


def _shown(value: Any) -> Any:
    """The value as JSON can hold it, without secrets."""
    if isinstance(value, SecretStr):
        return str(value)
    if isinstance(value, dict):
        return {name: _MASK if _SECRET.search(name) else each for name, each in value.items()}
    if isinstance(value, tuple):
        return list(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)
