"""Who gets in: one-time log-in codes, tokens, tickets, and what each connection is let in with.

A token comes in ``Authorization: Bearer``, in the cookie that the exchange of a code sets
(:mod:`serve.login`), or with a WebSocket as :mod:`serve.credential` says. Its claim `iss` chooses
who checks it: the local issuer or the OIDC provider. Codes and tickets are good once, for a short
time, and the only secrets that ever stand in a URL.
"""

from starlette.requests import HTTPConnection

from pipelines.errors import ConfigurationError, DataError
from pipelines.settings import Settings
from serve.credential import COOKIE, Credential, Way, credential_of
from serve.jwt_checks import unverified_issuer
from serve.local_issuer import Kind, bearer_of, issue, read_one_time
from serve.oidc import OidcVerifier
from serve.one_time import OneTimeUse
from serve.principal import Principal, Role

__all__ = [
    "COOKIE",
    "LOGIN_CODE_MINUTES",
    "Authenticator",
    "login_link",
    "new_login_code",
    "new_ticket",
    "new_token",
]

LOGIN_CODE_MINUTES = 15
_LOCAL_USER = "local"
_ISSUER_SHOWN = 100


def new_login_code(
    settings: Settings,
    role: Role = Role.ADMIN,
    sensors: tuple[str, ...] | None = None,
    subject: str = _LOCAL_USER,
) -> str:
    """Return a code that logs one browser in, once, within 15 minutes.

    Raises:
        ConfigurationError: ``auth.signing_key`` is missing or unusable.
    """
    who = Principal(subject, role, sensors, 0.0)
    return issue(settings.auth, Kind.LOGIN_CODE, who, LOGIN_CODE_MINUTES * 60)


def new_token(
    settings: Settings,
    hours: float,
    role: Role = Role.ADMIN,
    sensors: tuple[str, ...] | None = None,
    subject: str = _LOCAL_USER,
) -> str:
    """Return a token for the cookie or for ``Authorization: Bearer``, valid for ``hours``.

    sensors: patterns of the sensors its carrier sees, None for all

    Raises:
        ConfigurationError: ``auth.signing_key`` is missing or unusable.
    """
    who = Principal(subject, role, sensors, 0.0)
    return issue(settings.auth, Kind.ACCESS, who, hours * 3600)


def new_ticket(settings: Settings, principal: Principal) -> str:
    """Return a ticket that opens one WebSocket as ``principal``, whose end is the socket's too.

    Raises:
        ConfigurationError: ``auth.signing_key`` is missing or unusable.
    """
    return issue(settings.auth, Kind.TICKET, principal, settings.auth.ticket_s)


def login_link(
    settings: Settings, role: Role = Role.ADMIN, sensors: tuple[str, ...] | None = None
) -> str:
    """Return a link that logs a browser in, once, and opens the dashboard.

    Raises:
        ConfigurationError: ``auth.signing_key`` is missing or unusable.
    """
    host = settings.serve.host
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    code = new_login_code(settings, role, sensors)
    return f"http://{host}:{settings.serve.port}/login?code={code}"


class Authenticator:
    """Says who a connection is from; one for each application of each process."""

    def __init__(self, settings: Settings, used: OneTimeUse) -> None:
        """Check tokens as ``settings`` say; ``used`` knows which tickets were used."""
        self._settings = settings.auth
        self._used = used
        self._oidc = OidcVerifier(settings.auth) if settings.auth.oidc_issuer else None

    async def admit(self, connection: HTTPConnection) -> tuple[Principal, Way]:
        """Return who asks, and what they showed. A ticket is used up.

        Raises:
            DataError: nobody we know; the message is a sentence for them.
            UnavailableError: whoever could say so does not answer.
        """
        credential = credential_of(connection)
        if credential is None:
            raise DataError("You are not logged in.")
        try:
            return await self._principal(credential), credential.way
        except (DataError, ConfigurationError) as error:
            what = "ticket" if credential.way is Way.TICKET else "log-in"
            raise DataError(f"Your {what} is not valid: {error}.") from None

    async def _principal(self, credential: Credential) -> Principal:
        if credential.way is Way.TICKET:
            return await self._ticket_holder(credential.token)
        issuer = unverified_issuer(credential.token)
        if issuer == self._settings.issuer:
            return bearer_of(self._settings, credential.token)
        if self._oidc is not None and issuer == self._settings.oidc_issuer:
            return await self._oidc.principal(credential.token)
        raise DataError(
            "it names no issuer"
            if issuer is None
            else f"its issuer {issuer[:_ISSUER_SHOWN]!r} is not one that is trusted here"
        )

    async def _ticket_holder(self, ticket: str) -> Principal:
        unverified_issuer(ticket)
        found = read_one_time(self._settings, ticket, Kind.TICKET)
        await self._used.use(found.jti, found.expires_s)
        return found.principal
