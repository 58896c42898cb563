"""What a token's claims say of whoever carries it. Pure."""

from collections.abc import Mapping
from typing import Any

from pipelines.errors import DataError
from serve.principal import Principal, Role

MAX_PATTERNS = 100
"""Patterns of sensors in one token."""
MAX_PATTERN_CHARACTERS = 64
MAX_SUBJECT_CHARACTERS = 256
OIDC_PREFIX = "oidc:"
"""Begins the subjects of the OIDC provider, so that none of ours passes for one of them."""

_ROLES = {role.name.lower(): role for role in Role}
_ABSENT = object()


def role_named(name: str) -> Role:
    """Return the role of a name.

    Raises:
        DataError: there is no such role.
    """
    try:
        return _ROLES[name]
    except KeyError:
        raise DataError(f"there is no role {name[:64]!r}; there are {', '.join(_ROLES)}") from None


def require_own_subject(subject: str) -> None:
    """Refuse to make a token whose subject looks like one of the OIDC provider's.

    Raises:
        DataError: it does.
    """
    if subject.startswith(OIDC_PREFIX):
        raise DataError(f"a subject that begins with {OIDC_PREFIX!r} is the OIDC provider's")


def principal_of_claims(
    claims: Mapping[str, Any], role_claim: str = "role", sensors_claim: str = "sensors"
) -> Principal:
    """Return who carries a token with these claims, which were checked before.

    The claim of the role is a name or a list, of which the highest role that we know counts; the
    claim of the sensors is a list of patterns, or a text of them with spaces between.

    Raises:
        DataError: it names no role that we know, or its sensors are no patterns.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_CHARACTERS:
        raise DataError(f"its subject is not a text of 1 to {MAX_SUBJECT_CHARACTERS} characters")
    role = _role(_claim(claims, role_claim), role_claim)
    sensors = _sensors(_claim(claims, sensors_claim), sensors_claim)
    return Principal(subject, role, sensors, float(claims["exp"]))


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its whole name, else the path that its dots make; ``_ABSENT`` if there is none."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return _ABSENT
        found = found[part]
    return found


def _role(value: Any, claim: str) -> Role:
    if value is _ABSENT:
        raise DataError(f"it names no role; its claim {claim} must be one of {', '.join(_ROLES)}")
    if isinstance(value, str):
        return role_named(value)
    names = value if isinstance(value, list) else []
    known = [_ROLES[name] for name in names if isinstance(name, str) and name in _ROLES]
    if not known:
        raise DataError(f"its claim {claim} has no role that we know: {', '.join(_ROLES)}")
    return max(known)


def _sensors(value: Any, claim: str) -> tuple[str, ...] | None:
    if value is _ABSENT or value is None:
        return None
    patterns = value.split() if isinstance(value, str) else value
    if (
        not isinstance(patterns, list)
        or len(patterns) > MAX_PATTERNS
        or not all(isinstance(p, str) and 0 < len(p) <= MAX_PATTERN_CHARACTERS for p in patterns)
    ):
        raise DataError(
            f"its claim {claim} is not a list of up to {MAX_PATTERNS} patterns of 1 to "
            f"{MAX_PATTERN_CHARACTERS} characters"
        )
    return tuple(patterns)
