"""`imustream link`: print a fresh link that logs a browser in."""

from typing import Annotated

import typer

_EXAMPLES = "Examples: imustream link | imustream link --role viewer --sensor 'wearable-*'"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLES)(link)


def link(
    role: Annotated[
        str, typer.Option(help="What it lets one do: viewer, operator or admin.")
    ] = "admin",
    sensor: Annotated[
        list[str] | None,
        typer.Option(help="Pattern of the sensors shown, as in 'wearable-*'; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Print a link to the dashboard that logs one browser in, once, within 15 minutes."""
    import orjson

    from pipelines.settings import load_settings
    from serve.auth import LOGIN_CODE_MINUTES, login_link
    from serve.token_claims import role_named

    url = login_link(load_settings(), role_named(role), tuple(sensor) if sensor else None)
    if as_json:
        print(orjson.dumps({"url": url, "valid_minutes": LOGIN_CODE_MINUTES}).decode())
    else:
        print(url)
