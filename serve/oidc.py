"""Tokens of an OIDC provider: found by discovery, checked with its keys, which may rotate.

The provider is asked in a thread, so that no request waits for another's; its answers are kept.
https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jwt

from pipelines.errors import DataError, UnavailableError
from pipelines.settings import AuthSettings
from serve.jwt_checks import checked_claims, header_of
from serve.oidc_keys import Keys, fetch_keys
from serve.principal import Principal
from serve.token_claims import OIDC_PREFIX, principal_of_claims

Fetch = Callable[[AuthSettings], Keys]
Clock = Callable[[], float]

_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
"""The `typ` of tokens that let somebody in; a log-out token, for one, does not."""


class _Kept(NamedTuple):
    keys: Keys
    fetched_s: float


class OidcVerifier:
    """Checks tokens of ``auth.oidc_issuer``; one for each process."""

    def __init__(
        self, settings: AuthSettings, fetch: Fetch = fetch_keys, clock: Clock = time.monotonic
    ) -> None:
        """Nothing is asked before the first token comes."""
        self._settings = settings
        self._fetch = fetch
        self._clock = clock
        self._kept: _Kept | None = None
        self._tried_s = float("-inf")
        self._why_away = ""
        self._asking = asyncio.Lock()

    async def principal(self, token: str) -> Principal:
        """Return who carries a token.

        Raises:
            DataError: it is not valid; the message says why.
            UnavailableError: the provider does not answer, and its keys are not known.
        """
        settings = self._settings
        issuer, audience = settings.oidc_issuer, settings.oidc_audience
        assert issuer is not None
        assert audience is not None
        header = header_of(token)
        algorithm = header.get("alg")
        if algorithm not in settings.oidc_algorithms:
            raise DataError(f"it is not signed with {' or '.join(settings.oidc_algorithms)}")
        if str(header.get("typ", "jwt")).lower() not in _TYPES:
            raise DataError("it was made for another purpose")
        jwk = await self._key(header.get("kid"))
        if jwk.get("alg", algorithm) != algorithm:
            raise DataError(f"its key is not one for {algorithm}")
        claims = checked_claims(
            token,
            _usable(jwk, algorithm),
            algorithms=[algorithm],
            issuer=issuer,
            audience=audience,
            leeway_s=settings.leeway_s,
        )
        found = principal_of_claims(claims, settings.oidc_role_claim, settings.oidc_sensors_claim)
        return replace(found, subject=f"{OIDC_PREFIX}{found.subject}")

    async def _key(self, kid: Any) -> dict[str, Any]:
        keys = await self._keys(self._settings.oidc_refresh_s)
        found = keys.named(kid)
        if found is None:
            # A provider that has just changed its key signs with one we have not seen.
            found = (await self._keys(0.0)).named(kid)
        if found is None:
            raise DataError("its key is not one that its issuer publishes")
        return found

    async def _keys(self, fresh_s: float) -> Keys:
        """The provider's keys, no older than ``fresh_s`` where it may be asked and answers."""
        if not self._is_fresh(fresh_s):
            async with self._asking:
                if not self._is_fresh(fresh_s) and self._may_ask():
                    await self._ask()
        if self._kept is None or not self._is_fresh(self._settings.oidc_stale_s):
            raise UnavailableError(
                f"the OIDC provider {self._settings.oidc_issuer} does not answer "
                f"({self._why_away}); nobody can log in with its tokens until it does"
            )
        return self._kept.keys

    def _is_fresh(self, fresh_s: float) -> bool:
        return self._kept is not None and self._clock() - self._kept.fetched_s < fresh_s

    def _may_ask(self) -> bool:
        return self._clock() - self._tried_s >= self._settings.oidc_retry_s

    async def _ask(self) -> None:
        self._tried_s = self._clock()
        try:
            keys = await asyncio.to_thread(self._fetch, self._settings)
        except UnavailableError as error:
            self._why_away = str(error)
        else:
            self._kept = _Kept(keys, self._clock())


def _usable(jwk: dict[str, Any], algorithm: str) -> jwt.PyJWK:
    try:
        return jwt.PyJWK(jwk, algorithm)
    except jwt.PyJWTError:
        raise DataError(f"its key is not one for {algorithm}") from None
