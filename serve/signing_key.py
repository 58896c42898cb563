"""The local issuer's Ed25519 key: made once, kept in PEM."""

from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from pipelines.errors import ConfigurationError
from pipelines.settings import AuthSettings

_KEYS_KEPT = 4
_ADVICE = (
    "set IMUSTREAM_AUTH__SIGNING_KEY to an Ed25519 private key in PEM, as "
    "`openssl genpkey -algorithm ed25519` makes one"
)


def new_key_pem() -> str:
    """Return a new private key in PEM (PKCS #8, not encrypted)."""
    private = Ed25519PrivateKey.generate()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def signing_key(settings: AuthSettings) -> Ed25519PrivateKey:
    """Return the key of ``auth.signing_key``.

    Raises:
        ConfigurationError: it is missing, or is no Ed25519 private key.
    """
    if settings.signing_key is None:
        raise ConfigurationError(f"setting auth.signing_key is missing; {_ADVICE}")
    return _loaded(settings.signing_key.get_secret_value())


@lru_cache(_KEYS_KEPT)
def _loaded(pem: str) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"setting auth.signing_key cannot be read; {_ADVICE}")
    return key
