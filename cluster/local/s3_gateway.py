"""The S3 of the local stack: versitygw, which keeps objects as files in the state folder."""

from pathlib import Path
from urllib.parse import urlsplit

from cluster.local.server import Port, Server, awaited_port
from cluster.setup import tools
from pipelines.s3_client import S3_ERRORS, error_code, s3_client
from pipelines.settings import S3Settings, Settings

BUCKET = "imustream"
ACCESS_KEY = "imustream"
_HOST = "127.0.0.1"
_MADE_ALREADY = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


def endpoint_url(settings: Settings) -> str:
    """Where it serves."""
    return f"http://{_HOST}:{settings.local.s3_port}"


def s3_gateway_server(settings: Settings, folder: Path) -> Server:
    """versitygw with one account and our bucket, its files under ``folder``."""
    home = folder / "s3"
    port = settings.local.s3_port
    secret = settings.s3.secret_key
    return Server(
        name="s3",
        title="S3 (versitygw)",
        command=[str(tools.s3_gateway()), f"{_HOST}:{port}", str(home)],
        environment={
            "S3GATEWAY_ACCESS_KEY": settings.s3.access_key or "",
            "S3GATEWAY_SECRET_KEY": "" if secret is None else secret.get_secret_value(),
        },
        prepare=lambda: home.mkdir(mode=0o700, parents=True, exist_ok=True),
        awaited=lambda: awaited_port(port) or _awaited_bucket(_own(settings)),
        ports=(Port(port, "IMUSTREAM_LOCAL__S3_PORT"),),
    )


def _own(settings: Settings) -> S3Settings:
    return settings.s3.model_copy(update={"endpoint_url": endpoint_url(settings)})


def _awaited_bucket(settings: S3Settings) -> str | None:
    """Make the bucket; say what is missing while that does not work."""
    try:
        s3_client(settings).create_bucket(Bucket=BUCKET)
    except S3_ERRORS as error:
        if error_code(error) not in _MADE_ALREADY:
            port = urlsplit(settings.endpoint_url or "").port
            return f"S3 on port {port} to make the bucket {BUCKET} ({error})"
    return None
