"""The Secrets that Strimzi, External Secrets or a user would make."""

from collections.abc import Mapping
from typing import Any

from serve.signing_key import new_key_pem
from tests.kubernetes.pods import NAMESPACE

RAY_TOKEN = "a-token-of-more-than-thirty-two-characters"

_USERS = ("api", "bridge", "processors", "exporter", "kafka-ui", "connect")


def made_by_others(signing_key: str = "") -> list[dict[str, Any]]:
    """Return them all; only Ray's token and the signing key are what they say."""
    values: dict[str, Mapping[str, str]] = {
        "ray-auth-token": {"auth_token": RAY_TOKEN},
        "ray-redis": {"password": "of-redis"},
        "imustream-auth": {"signing-key": signing_key or new_key_pem()},
        "mongodb-credentials": {"uri": "mongodb://nowhere", "username": "u", "password": "p"},
        "mosquitto-credentials": {"bridge": "b", "api": "a", "monitor": "m", "admin": "d"},
        "streaming-cluster-ca-cert": {"ca.crt": "no certificate"},
        "s3-credentials": {"access-key": "a", "secret-key": "s"},
        **{user: {"password": f"of-{user}"} for user in _USERS},
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "stringData": dict(data),
        }
        for name, data in values.items()
    ]
