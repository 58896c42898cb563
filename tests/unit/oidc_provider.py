"""A small OIDC provider on a free port: discovery, keys that rotate, and tokens to order."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

AUDIENCE = "imustream-api"
_START_S = 10.0


class Provider:
    """Signs with one key at a time; ``asked`` counts the questions for its keys."""

    def __init__(self, address: str) -> None:
        self.issuer = address
        self.asked = 0
        self.named_issuer = address
        self._keys: dict[str, rsa.RSAPrivateKey] = {}
        self.rotate()

    def rotate(self) -> None:
        """Sign with a new key from now on, and publish it alone."""
        self._keys = {
            f"key-{time.monotonic_ns()}": rsa.generate_private_key(
                public_exponent=65537, key_size=2048
            )
        }

    @property
    def kid(self) -> str:
        """The id of the key it signs with."""
        return next(iter(self._keys))

    @property
    def key(self) -> rsa.RSAPrivateKey:
        """The key it signs with."""
        return self._keys[self.kid]

    def token(self, *, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token that lets a viewer in, but for what ``claims`` change; None leaves one out."""
        now = int(time.time())
        all_claims = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "ada",
            "iat": now,
            "exp": now + 60,
            "role": "viewer",
            **claims,
        }
        kept = {name: value for name, value in all_claims.items() if value is not None}
        return jwt.encode(kept, self.key, "RS256", {"kid": self.kid, **(headers or {})})

    def app(self) -> Starlette:
        """Its HTTP side."""

        async def discovery(_: Request) -> JSONResponse:
            return JSONResponse({"issuer": self.named_issuer, "jwks_uri": f"{self.issuer}/keys"})

        async def keys(_: Request) -> JSONResponse:
            self.asked += 1
            algorithm = jwt.algorithms.RSAAlgorithm
            published = [
                {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}
                for kid, key in self._keys.items()
            ]
            return JSONResponse({"keys": published})

        return Starlette(
            routes=[Route("/.well-known/openid-configuration", discovery), Route("/keys", keys)]
        )


@contextmanager
def running_provider() -> Iterator[Provider]:
    """A provider that answers on loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    provider = Provider(f"http://127.0.0.1:{listener.getsockname()[1]}")
    server = uvicorn.Server(uvicorn.Config(provider.app(), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline_s = time.monotonic() + _START_S
    while not server.started:
        assert time.monotonic() < deadline_s, "the OIDC provider does not start"
        time.sleep(0.01)
    try:
        yield provider
    finally:
        server.should_exit = True
        thread.join(_START_S)
        listener.close()
