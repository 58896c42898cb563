"""The S3 client of every s3:// address, and what its errors mean in words."""

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipelines.errors import ConfigurationError, ImustreamError, UnavailableError
from pipelines.settings import S3Settings

S3_ERRORS = (BotoCoreError, ClientError)

_CONFIG = Config(
    connect_timeout=3,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 3},
    # Many stores that speak S3 know no virtual hosts; AWS still takes paths.
    s3={"addressing_style": "path"},
)
_MISTAKES = frozenset(
    {
        "AccessDenied",
        "AllAccessDisabled",
        "InvalidAccessKeyId",
        "InvalidBucketName",
        "NoSuchBucket",
        "PermanentRedirect",
        "SignatureDoesNotMatch",
        "XAdminUserNotFound",
    }
)


def s3_client(settings: S3Settings) -> Any:
    """Make a client; the server is not asked before its first call."""
    secret = settings.secret_key
    return boto3.session.Session().client(
        "s3",
        endpoint_url=settings.endpoint_url,
        region_name=settings.region,
        aws_access_key_id=settings.access_key,
        aws_secret_access_key=None if secret is None else secret.get_secret_value(),
        verify=None if settings.ca_file is None else str(settings.ca_file),
        config=_CONFIG,
    )


def error_code(error: Exception) -> str:
    """Return S3's code of an error, such as ``NoSuchKey``; empty where S3 never answered."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""


def s3_failed(error: Exception, what: str, settings: S3Settings) -> ImustreamError:
    """Return the one-line error for a call that did not do ``what``.

    ConfigurationError where trying again cannot help, else UnavailableError.
    """
    where = settings.endpoint_url or "AWS"
    if error_code(error) in _MISTAKES:
        return ConfigurationError(
            f"{what} failed at S3 {where}: {error}; correct the address, or s3.access_key, "
            "s3.secret_key and what they may do"
        )
    return UnavailableError(
        f"{what} failed at S3 {where}: {error}; see that it runs and that s3.endpoint_url is right"
    )
