"""The issuer for one machine: signs and checks our own tokens, log-in codes and tickets (EdDSA).

Each kind has a type of its own in its header, so that none passes for another (RFC 8725, 3.11).
"""

import secrets
import time
from enum import StrEnum
from typing import Any, NamedTuple

import jwt

from pipelines.errors import DataError
from pipelines.settings import AuthSettings
from serve.jwt_checks import Claims, checked_claims, header_of
from serve.principal import Principal
from serve.signing_key import signing_key
from serve.token_claims import principal_of_claims

ALGORITHM = "EdDSA"
_LOGIN_ENDS = "login_exp"


class Kind(StrEnum):
    """What a token of ours is good for: the `typ` of its header."""

    ACCESS = "at+jwt"
    """Requests, until it expires."""
    LOGIN_CODE = "imustream-login+jwt"
    """One log-in of a browser."""
    TICKET = "imustream-ticket+jwt"
    """One WebSocket."""


class OneTime(NamedTuple):
    """What is good for one use.

    jti:       its own id
    expires_s: when it is good for nothing, seconds since the epoch
    principal: who may use it
    """

    jti: str
    expires_s: float
    principal: Principal


def issue(settings: AuthSettings, kind: Kind, principal: Principal, valid_s: float) -> str:
    """Return a token that says who its carrier is, for ``valid_s`` from now.

    ``principal.expires_s`` matters for tickets alone, whose WebSocket ends then.

    Raises:
        ConfigurationError: ``auth.signing_key`` is missing or unusable.
    """
    now_s = time.time()
    claims: dict[str, Any] = {
        "iss": settings.issuer,
        "aud": settings.audience,
        "sub": principal.subject,
        "iat": int(now_s),
        "exp": int(now_s + valid_s),
        "jti": secrets.token_urlsafe(16),
        "role": principal.role.name.lower(),
    }
    if principal.sensors is not None:
        claims["sensors"] = list(principal.sensors)
    if kind is Kind.TICKET:
        claims[_LOGIN_ENDS] = principal.expires_s
    return jwt.encode(claims, signing_key(settings), ALGORITHM, {"typ": kind.value})


def bearer_of(settings: AuthSettings, token: str) -> Principal:
    """Return who carries an access token of ours.

    Raises:
        DataError: it is none, or is not valid; the message says why.
        ConfigurationError: ``auth.signing_key`` is missing or unusable.
    """
    return principal_of_claims(_claims(settings, token, Kind.ACCESS))


def read_one_time(settings: AuthSettings, token: str, kind: Kind) -> OneTime:
    """Return what a log-in code or ticket says, without asking whether it was used before.

    Raises:
        DataError: it is none, or is not valid; the message says why.
        ConfigurationError: ``auth.signing_key`` is missing or unusable.
    """
    claims = _claims(settings, token, kind)
    principal = principal_of_claims({**claims, "exp": claims.get(_LOGIN_ENDS, claims["exp"])})
    return OneTime(claims["jti"], float(claims["exp"]), principal)


def _claims(settings: AuthSettings, token: str, kind: Kind) -> Claims:
    key = signing_key(settings).public_key()
    claims = checked_claims(
        token,
        key,
        algorithms=[ALGORITHM],
        issuer=settings.issuer,
        audience=settings.audience,
        # This machine's own clock signed it: what has expired has expired.
        leeway_s=0.0,
    )
    if header_of(token).get("typ") != kind.value:
        raise DataError("it was made for another purpose")
    return claims
