"""`imustream token`: print a token for a program."""

from typing import Annotated

import typer

_EXAMPLES = (
    "Examples: imustream token --role viewer --sensor 'wearable-*' --hours 24 | "
    'curl -H "Authorization: Bearer $(imustream token)" http://127.0.0.1:8000/api/v1/me'
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLES)(token)


def token(
    role: Annotated[
        str, typer.Option(help="What it lets its carrier do: viewer, operator or admin.")
    ] = "viewer",
    sensor: Annotated[
        list[str] | None,
        typer.Option(help="Pattern of the sensors shown, as in 'wearable-*'; may be repeated."),
    ] = None,
    hours: Annotated[float, typer.Option(min=0.01, help="How long it lasts.")] = 1.0,
    subject: Annotated[str, typer.Option(help="Whose it is, for the audit log.")] = "local",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Print a token for `Authorization: Bearer`, signed with this machine's key.

    It cannot be taken back: give it few hours and few rights.
    """
    import orjson

    from pipelines.errors import ConfigurationError
    from pipelines.settings import load_settings
    from serve.auth import new_token
    from serve.token_claims import require_own_subject, role_named

    settings = load_settings()
    most = settings.auth.max_token_hours
    if hours > most:
        raise ConfigurationError(f"--hours {hours:g} is more than auth.max_token_hours, {most:g}")
    require_own_subject(subject)
    made = new_token(settings, hours, role_named(role), tuple(sensor) if sensor else None, subject)
    print(orjson.dumps({"token": made, "hours": hours}).decode() if as_json else made)
