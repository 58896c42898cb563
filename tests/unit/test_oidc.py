"""Tokens of an OIDC provider, which really answers over HTTP."""

import asyncio
import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from oidc_provider import AUDIENCE, Provider, running_provider

from pipelines.errors import ConfigurationError, DataError, UnavailableError
from pipelines.settings import AuthSettings, load_settings
from serve.oidc import OidcVerifier
from serve.principal import Principal, Role


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running_provider() as running:
        yield running


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def _settings(provider: Provider, **changes: Any) -> AuthSettings:
    values = {"oidc_issuer": provider.issuer, "oidc_audience": AUDIENCE, **changes}
    return load_settings(auth=values).auth


def _principal(provider: Provider, token: str, **changes: Any) -> Principal:
    return asyncio.run(OidcVerifier(_settings(provider, **changes)).principal(token))


def test_a_token_of_the_provider_says_who_its_carrier_is(provider: Provider) -> None:
    ends = int(time.time()) + 30
    token = provider.token(sub="ada", role="operator", sensors=["wrist-*"], exp=ends)
    expected = Principal("oidc:ada", Role.OPERATOR, ("wrist-*",), float(ends))
    assert _principal(provider, token) == expected


@pytest.mark.parametrize(
    ("role", "expected"),
    [("admin", Role.ADMIN), (["x", "viewer", "operator"], Role.OPERATOR)],
)
def test_roles_and_sensors_may_stand_in_claims_of_other_names(
    provider: Provider, role: Any, expected: Role
) -> None:
    token = provider.token(role=None, realm={"roles": role}, scope="a-* b")
    found = _principal(provider, token, oidc_role_claim="realm.roles", oidc_sensors_claim="scope")
    assert (found.role, found.sensors) == (expected, ("a-*", "b"))


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"iss": "https://evil.example"}, "not from the issuer"),
        ({"aud": "another-service"}, "another audience"),
        ({"aud": None}, "lacks the claim aud"),
        ({"exp": 1_600_000_000}, "expired"),
        ({"exp": None}, "lacks the claim exp"),
        ({"nbf": 4_000_000_000}, "not valid yet"),
        ({"iat": 4_000_000_000}, "not valid yet"),
        ({"role": "root"}, "no role 'root'"),
        ({"role": None}, "names no role"),
        ({"role": []}, "no role that we know"),
        ({"role": 3}, "no role that we know"),
        ({"sensors": "*" * 65}, "not a list"),
        ({"sensors": [1]}, "not a list"),
        ({"sub": ""}, "subject"),
        ({"headers": {"typ": "logout+jwt"}}, "another purpose"),
        ({"headers": {"kid": "unknown"}}, "not one that its issuer publishes"),
    ],
)
def test_a_token_that_is_not_right_is_refused_in_words(
    provider: Provider, claims: dict[str, Any], why: str
) -> None:
    with pytest.raises(DataError, match=why):
        _principal(provider, provider.token(**claims))


def test_clocks_may_differ_by_the_leeway(provider: Provider) -> None:
    token = provider.token(exp=int(time.time()) - 20)
    assert _principal(provider, token, leeway_s=60).subject == "oidc:ada"
    with pytest.raises(DataError, match="expired"):
        _principal(provider, token, leeway_s=5)


def _with_header(provider: Provider, header: dict[str, str], signature_key: bytes) -> str:
    """The provider's own claims under another header, signed by HMAC or not at all."""
    claims = provider.token().split(".")[1]
    encoded = urlsafe_b64encode(json.dumps({"kid": provider.kid, **header}).encode())
    signed = encoded.rstrip(b"=") + b"." + claims.encode()
    digest = hmac.new(signature_key, signed, hashlib.sha256).digest() if signature_key else b""
    return (signed + b"." + urlsafe_b64encode(digest).rstrip(b"=")).decode()


def test_a_token_without_a_signature_is_refused(provider: Provider) -> None:
    for algorithm in ("none", "None", ""):
        with pytest.raises(DataError, match="not signed with RS256"):
            _principal(provider, _with_header(provider, {"alg": algorithm}, b""))


def test_the_public_key_is_no_secret_to_sign_with(provider: Provider) -> None:
    public = provider.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(DataError, match="not signed with RS256"):
        _principal(provider, _with_header(provider, {"alg": "HS256"}, public))


def test_another_key_under_the_same_id_is_refused(provider: Provider) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = jwt.decode(provider.token(), options={"verify_signature": False})
    token = jwt.encode(claims, stranger, "RS256", {"kid": provider.kid})
    with pytest.raises(DataError, match="not signed by"):
        _principal(provider, token)
    with pytest.raises(DataError, match="not one for ES256"):
        _principal(provider, _with_header(provider, {"alg": "ES256"}, b"x"))


def test_a_new_key_is_asked_for_and_an_unknown_one_not_at_every_request(
    provider: Provider,
) -> None:
    clock = Clock()
    verifier = OidcVerifier(_settings(provider), clock=clock)

    async def scenario() -> None:
        old = provider.token()
        await verifier.principal(old)
        asked = provider.asked
        await verifier.principal(old)
        assert provider.asked == asked
        provider.rotate()
        clock.now_s += 11
        assert (await verifier.principal(provider.token())).subject == "oidc:ada"
        assert provider.asked == asked + 1
        for _ in range(5):
            with pytest.raises(DataError, match="not one that its issuer publishes"):
                await verifier.principal(old)
        assert provider.asked == asked + 1

    asyncio.run(scenario())


def test_many_first_tokens_are_one_question(provider: Provider) -> None:
    verifier = OidcVerifier(_settings(provider))

    async def scenario() -> None:
        token, asked = provider.token(), provider.asked
        await asyncio.gather(*[verifier.principal(token) for _ in range(20)])
        assert provider.asked == asked + 1

    asyncio.run(scenario())


def test_known_keys_serve_while_the_provider_is_away_but_not_for_ever() -> None:
    clock = Clock()

    async def scenario() -> None:
        with running_provider() as provider:
            verifier = OidcVerifier(_settings(provider), clock=clock)
            token = provider.token()
            await verifier.principal(token)
        clock.now_s += 400
        assert (await verifier.principal(token)).subject == "oidc:ada"
        clock.now_s += 3_600
        with pytest.raises(UnavailableError, match="does not answer"):
            await verifier.principal(token)

    asyncio.run(scenario())


def test_a_provider_that_says_it_is_another_is_not_believed(provider: Provider) -> None:
    provider.named_issuer = "https://evil.example"
    try:
        with pytest.raises(UnavailableError, match="another issuer"):
            _principal(provider, provider.token())
    finally:
        provider.named_issuer = provider.issuer


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"oidc_algorithms": ["HS256"]}, "HS256 may not be used"),
        ({"oidc_algorithms": ["none"]}, "none may not be used"),
        ({"oidc_issuer": "http://idp.example", "oidc_audience": "x"}, "https"),
        ({"oidc_issuer": "https://idp.example"}, "oidc_audience is needed"),
    ],
)
def test_settings_that_would_let_anybody_in_are_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        load_settings(auth=changes)
