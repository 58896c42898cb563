"""Check a JSON Web Token against one key, and say in a sentence what is wrong with it. Pure."""

from collections.abc import Sequence
from typing import Any

import jwt

from pipelines.errors import DataError

Claims = dict[str, Any]

MAX_TOKEN_CHARACTERS = 8_192
"""What a proxy lets through in a header; longer ones are not even looked at."""

_REQUIRED = ("iss", "aud", "sub", "iat", "exp")


def unverified_issuer(token: str) -> str | None:
    """Return what a token says its issuer is, which is not to be believed; None if it says none.

    Raises:
        DataError: it is no token.
    """
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise DataError(f"it is longer than {MAX_TOKEN_CHARACTERS} characters")
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        raise DataError("it is no JSON Web Token") from None
    issuer = claims.get("iss")
    return issuer if isinstance(issuer, str) else None


def header_of(token: str) -> dict[str, Any]:
    """Return a token's header, which is not to be believed.

    Raises:
        DataError: it is no token.
    """
    try:
        return jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        raise DataError("it is no JSON Web Token") from None


def checked_claims(
    token: str,
    key: Any,
    *,
    algorithms: Sequence[str],
    issuer: str,
    audience: str,
    leeway_s: float,
) -> Claims:
    """Return the claims of a token that is signed by ``key``, for us, and valid now.

    Raises:
        DataError: it is not; the message says which of these is wrong.
    """
    try:
        return jwt.decode(
            token,
            key,
            algorithms=list(algorithms),
            issuer=issuer,
            audience=audience,
            leeway=leeway_s,
            options={"require": list(_REQUIRED), "enforce_minimum_key_length": True},
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise DataError(_in_words(error, issuer, audience, algorithms)) from None


def _in_words(error: Exception, issuer: str, audience: str, algorithms: Sequence[str]) -> str:
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"it lacks the claim {error.claim}"
    words: dict[type[Exception], str] = {
        jwt.ExpiredSignatureError: "it has expired",
        jwt.ImmatureSignatureError: "it is not valid yet",
        jwt.InvalidAudienceError: f"it is meant for another audience than {audience}",
        jwt.InvalidIssuerError: f"it is not from the issuer {issuer}",
        jwt.InvalidAlgorithmError: f"it is not signed with {' or '.join(algorithms)}",
        jwt.InvalidSignatureError: f"it was not signed by {issuer}",
        jwt.InvalidKeyError: f"it was not signed by {issuer}",
    }
    return words.get(type(error), "it is no JSON Web Token")
