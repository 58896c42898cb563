"""Who gets in: one-time log-in codes, and the tokens that programs and browsers carry.

Both are JSON Web Tokens signed with ``auth.secret`` (HS256). A code is good for one exchange
(:mod:`serve.login`) and the only secret that ever stands in a URL. A token comes in the cookie
that the exchange sets, or in ``Authorization: Bearer``.
"""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import jwt

from pipelines.errors import ConfigurationError, DataError
from pipelines.settings import Settings
from serve.principal import Principal, Role

COOKIE = "imustream_login"
LOGIN_CODE_MINUTES = 15
_ALGORITHM = "HS256"
_SECRET_CHARACTERS = 32
_LOGIN = "login"
_ACCESS = "access"


class LoginCode(NamedTuple):
    """What a valid log-in code says: its own id, and when it stops being valid."""

    jti: str
    expires: datetime


def new_login_code(settings: Settings) -> str:
    """Return a code that logs one browser in, once, within 15 minutes.

    Raises:
        ConfigurationError: ``auth.secret`` is missing or short.
    """
    return _sign(settings, _LOGIN, timedelta(minutes=LOGIN_CODE_MINUTES))


def new_token(settings: Settings, hours: float) -> str:
    """Return a token for the cookie or for ``Authorization: Bearer``, valid for ``hours``.

    Raises:
        ConfigurationError: ``auth.secret`` is missing or short.
    """
    return _sign(settings, _ACCESS, timedelta(hours=hours))


def login_link(settings: Settings) -> str:
    """Return a link that logs a browser in, once, and opens the dashboard.

    Raises:
        ConfigurationError: ``auth.secret`` is missing or short.
    """
    host = settings.serve.host
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://{host}:{settings.serve.port}/login?code={new_login_code(settings)}"


def read_login_code(settings: Settings, code: str) -> LoginCode:
    """Return what a code says, without asking whether it was used before.

    Raises:
        DataError: it is not a code that we signed, or it has expired; the message says which.
        ConfigurationError: ``auth.secret`` is missing or short.
    """
    claims = _verify(settings, code, _LOGIN)
    return LoginCode(claims["jti"], datetime.fromtimestamp(claims["exp"], UTC))


def admit(
    settings: Settings, headers: Mapping[str, str], cookies: Mapping[str, str]
) -> Principal | str:
    """Return who asks, or why the request must be refused, in a sentence.

    headers: names in lower case.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = cookies.get(COOKIE, "")
    if not token:
        return "You are not logged in."
    try:
        claims = _verify(settings, token.strip(), _ACCESS)
    except (DataError, ConfigurationError) as error:
        return f"Your log-in is not valid: {error}."
    return Principal("local", Role.ADMIN, None, float(claims["exp"]))


def is_cross_site(headers: Mapping[str, str]) -> bool:
    """Return whether a browser sends this for a page of another site, on its user's cookie.

    A browser lets any page open a WebSocket to any host and sends the cookies along; only the
    header `Origin` tells (cross-site WebSocket hijacking). A bearer token is no cookie: whoever
    sends it knows it. Programs send no `Origin`.
    """
    origin = headers.get("origin")
    if origin is None or headers.get("authorization", "").lower().startswith("bearer "):
        return False
    return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


def _secret(settings: Settings) -> str:
    secret = settings.auth.secret.get_secret_value() if settings.auth.secret else ""
    if len(secret) < _SECRET_CHARACTERS:
        raise ConfigurationError(
            f"setting auth.secret {'is too short' if secret else 'is missing'}; set "
            f"IMUSTREAM_AUTH__SECRET to {_SECRET_CHARACTERS} characters or more"
        )
    return secret


def _sign(settings: Settings, purpose: str, valid: timedelta) -> str:
    now = datetime.now(UTC)
    claims = {
        "purpose": purpose,
        "jti": secrets.token_urlsafe(16),
        "iat": now,
        "exp": now + valid,
    }
    return jwt.encode(claims, _secret(settings), _ALGORITHM)


def _verify(settings: Settings, token: str, purpose: str) -> dict[str, Any]:
    secret = _secret(settings)
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            secret,
            algorithms=[_ALGORITHM],
            options={"require": ["exp", "jti", "purpose"]},
        )
    except jwt.ExpiredSignatureError:
        raise DataError("it has expired") from None
    except jwt.InvalidTokenError:
        raise DataError("it was not signed by this service") from None
    if claims["purpose"] != purpose:
        raise DataError("it was made for another purpose")
    return claims
