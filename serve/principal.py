"""Who asks, and what they may: roles, and the sensors a log-in is confined to. Pure.

The gate puts the principal into the connection's scope; a route says what it needs by
:func:`requires` and asks :meth:`Principal.may_see` for each sensor.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, HTTPException
from starlette.requests import HTTPConnection

SCOPE_KEY = "imustream.principal"


class Role(IntEnum):
    """What somebody may do; each role may do what those before it may."""

    VIEWER = 1
    """Look at everything their sensors send."""
    OPERATOR = 2
    """Pause and resume, redrive, label sensors, send commands."""
    ADMIN = 3
    """Promote models, read the audit log, make tokens and devices."""


@dataclass(frozen=True)
class Principal:
    """Somebody who was let in.

    sensors:   patterns of sensor ids (``*`` and ``?``), None for all
    expires_s: when the log-in ends, seconds since the epoch
    """

    subject: str
    role: Role
    sensors: tuple[str, ...] | None
    expires_s: float

    def may_see(self, sensor_id: str) -> bool:
        """Return whether this sensor's data are theirs to see."""
        return self.sensors is None or any(
            fnmatchcase(sensor_id, pattern.replace("[", "[[]")) for pattern in self.sensors
        )


def principal_of(connection: HTTPConnection) -> Principal:
    """Return who asks.

    Raises:
        HTTPException: 401, the connection came past no gate or through an open path.
    """
    principal = connection.scope.get(SCOPE_KEY)
    if not isinstance(principal, Principal):
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "You are not logged in.")
    return principal


def requires(role: Role) -> Callable[[Principal], Principal]:
    """Return a dependency that gives the principal and refuses who has not this role."""

    def check(principal: Annotated[Principal, Depends(principal_of)]) -> Principal:
        if principal.role < role:
            raise HTTPException(
                HTTPStatus.FORBIDDEN,
                f"This needs the role {role.name.lower()}; yours is {principal.role.name.lower()}.",
            )
        return principal

    return check


def require_sensor(principal: Principal, sensor_id: str) -> None:
    """Refuse a sensor outside the principal's scope as if it did not exist.

    Raises:
        HTTPException: 404.
    """
    if not principal.may_see(sensor_id):
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no sensor {sensor_id!r}.")
