"""Ask an OIDC provider for the keys that it signs with."""

import ssl
from dataclasses import dataclass
from typing import Any, NoReturn

import httpx
import orjson

from pipelines.errors import UnavailableError
from pipelines.settings import AuthSettings

_MAX_ANSWER_BYTES = 1_048_576
_MAX_KEYS = 100


@dataclass(frozen=True)
class Keys:
    """Public keys that verify signatures, each a JSON Web Key (RFC 7517)."""

    keys: tuple[dict[str, Any], ...]

    def named(self, kid: Any) -> dict[str, Any] | None:
        """Return the key of an id; for a token that names none, the only key there is."""
        if kid is None:
            return self.keys[0] if len(self.keys) == 1 else None
        return next((key for key in self.keys if key.get("kid") == kid), None)


def fetch_keys(settings: AuthSettings) -> Keys:
    """Find the provider's key set by discovery and return it. Blocks; call it in a thread.

    Raises:
        UnavailableError: the provider does not answer as the specification says.
    """
    issuer = settings.oidc_issuer or ""
    verify = ssl.create_default_context(
        cafile=None if settings.oidc_ca_file is None else str(settings.oidc_ca_file)
    )
    with httpx.Client(timeout=settings.oidc_timeout_s, verify=verify) as client:
        discovery = _document(client, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if discovery.get("issuer") != issuer:
            _fail("its discovery document is another issuer's")
        address = discovery.get("jwks_uri")
        # Keys that came in clear over a network could be anybody's.
        if not isinstance(address, str) or (
            issuer.startswith("https:") and not address.startswith("https:")
        ):
            _fail("its discovery document has no https address of its keys")
        found = _document(client, address).get("keys")
    if not isinstance(found, list):
        _fail("its key set has no keys")
    return Keys(tuple(key for key in found[:_MAX_KEYS] if _verifies(key)))


def _document(client: httpx.Client, url: str) -> dict[str, Any]:
    body = b""
    try:
        with client.stream("GET", url, headers={"Accept": "application/json"}) as answer:
            if answer.status_code != httpx.codes.OK:
                _fail(f"{url} answers {answer.status_code}")
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > _MAX_ANSWER_BYTES:
                    _fail(f"{url} answers with more than {_MAX_ANSWER_BYTES} bytes")
        found = orjson.loads(body)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        _fail(f"{url}: {error or type(error).__name__}")
    except orjson.JSONDecodeError:
        _fail(f"{url} does not answer with JSON")
    if not isinstance(found, dict):
        _fail(f"{url} does not answer with a JSON object")
    return found


def _verifies(key: Any) -> bool:
    """Whether a key is a public one that signatures are checked with."""
    return (
        isinstance(key, dict)
        and key.get("kty") in ("RSA", "EC", "OKP")
        and key.get("use", "sig") == "sig"
    )


def _fail(why: str) -> NoReturn:
    raise UnavailableError(why)
