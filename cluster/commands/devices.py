"""`imustream devices`: which devices may connect, each with a credential of its own."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cluster.device_credentials import DeviceCredentials

_EXAMPLES = "Examples: imustream devices add phone-1 | imustream devices list --json"
_Sensor = Annotated[str, typer.Argument(help="The sensor id, which is its user name too.")]
_Json = Annotated[bool, typer.Option("--json", help="Print a JSON object.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="Which devices may connect to the MQTT broker: add, revoke, rotate, list.",
        no_args_is_help=True,
        epilog=_EXAMPLES,
    )
    group.command(epilog=_EXAMPLES)(add)
    group.command(epilog="Examples: imustream devices revoke phone-1")(revoke)
    group.command(epilog="Examples: imustream devices rotate phone-1")(rotate)
    group.command("list", epilog="Examples: imustream devices list | wc -l")(list_devices)
    app.add_typer(group, name="devices")


def add(sensor: _Sensor, as_json: _Json = False) -> None:
    """Let a device in and print its password, once: it is kept nowhere in clear.

    It may publish as itself alone, and reads and answers its own commands alone.
    """
    with _credentials() as credentials:
        _tell(sensor, credentials.add(sensor), as_json)


def revoke(sensor: _Sensor) -> None:
    """Cut a device off at once, and let it in no more."""
    with _credentials() as credentials:
        credentials.revoke(sensor)
    typer.echo(f"{sensor} is cut off.")


def rotate(sensor: _Sensor, as_json: _Json = False) -> None:
    """Give a device a new password and print it; the old one fails at once."""
    with _credentials() as credentials:
        _tell(sensor, credentials.rotate(sensor), as_json)


def list_devices(as_json: _Json = False) -> None:
    """Print the devices that may connect, one a line."""
    import orjson

    with _credentials() as credentials:
        devices = credentials.devices()
    if as_json:
        print(orjson.dumps({"devices": [device._asdict() for device in devices]}).decode())
        return
    for device in devices:
        print(f"{device.sensor_id}{'  (disabled)' if device.disabled else ''}")


def _credentials() -> "DeviceCredentials":
    from cluster.device_credentials import DeviceCredentials
    from pipelines.settings import load_settings

    return DeviceCredentials(load_settings().mqtt)


def _tell(sensor: str, password: str, as_json: bool) -> None:
    import orjson

    from cluster.local.certificates import certificate_files
    from cluster.local.mosquitto import tls_folder
    from pipelines.settings import load_settings

    settings = load_settings()
    mqtt = settings.mqtt
    # Of the local broker; another's authority is known to whoever runs that.
    authority = (
        mqtt.tls_ca_file or certificate_files(tls_folder(settings.local.state_dir)).authority
    )
    if as_json:
        said = {
            "username": sensor,
            "password": password,
            "topic": f"imu/{sensor}",
            "tls_port": mqtt.tls_port,
            "websocket_port": mqtt.websocket_port,
            "ca_file": str(authority.resolve()) if authority.is_file() else None,
        }
        print(orjson.dumps(said).decode())
        return
    typer.echo(f"user      {sensor}\npassword  {password}\ntopic     imu/{sensor}")
    typer.echo(f"ports     {mqtt.tls_port} (TLS), {mqtt.websocket_port} (WebSockets, path /mqtt)")
    if authority.is_file():
        typer.echo(f"trust     {authority.resolve()}")
    typer.echo("Note it down: the password is not shown again.", err=True)
