"""The layers around the routes of `api`, and their order."""

from fastapi import FastAPI
from pymongo.asynchronous.database import AsyncDatabase
from starlette.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from pipelines.settings import Settings
from serve.edge.audit import Audit
from serve.edge.audit_log import AuditLog
from serve.edge.body_limit import BodyLimit
from serve.edge.counters import Counters
from serve.edge.http_metrics import HttpMetrics
from serve.edge.idempotency import REPLAYED, Idempotency
from serve.edge.idempotency_key import IDEMPOTENCY_KEY
from serve.edge.idempotency_store import COLLECTION, IdempotencyStore
from serve.edge.rate_limit import RateLimit
from serve.edge.request_id import HEADER, RequestId
from serve.edge.time_limit import TimeLimit
from serve.gate import Gate
from serve.mongo import Document
from serve.one_time import OneTimeUse

_ASKED = ["Authorization", "Content-Type", "If-Match", "If-None-Match", IDEMPOTENCY_KEY, HEADER]
_SHOWN = ["ETag", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", REPLAYED, HEADER]
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_LOOPBACK = ["127.0.0.1", "::1"]
"""Where the HTTP proxy beside each replica asks from."""


def add_layers(
    app: FastAPI,
    settings: Settings,
    database: AsyncDatabase[Document],
    *,
    used: OneTimeUse,
    entries: AuditLog,
    counters: Counters,
) -> None:
    """Put the layers around the routes; a request passes them from the last added to the first.

    It is named, then let in, then counted, then bounded, then put into the audit log. A repeat
    that is answered from what is kept changes nothing, so it is not in the audit log again.
    """
    bounds = settings.serve
    answers = IdempotencyStore(database[COLLECTION], bounds.idempotency_hours * 3_600)
    app.add_middleware(TimeLimit, timeout_s=bounds.request_timeout_s)
    app.add_middleware(Audit, entries=entries)
    app.add_middleware(Idempotency, settings=bounds, store=answers)
    app.add_middleware(BodyLimit, max_bytes=bounds.max_body_bytes)
    app.add_middleware(RateLimit, settings=bounds, counters=counters)
    app.add_middleware(Gate, settings=settings, used=used)
    if bounds.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(bounds.cors_origins),
            allow_methods=_METHODS,
            allow_headers=_ASKED,
            expose_headers=_SHOWN,
            # Other sites bring a token; a cookie of ours they can never use.
            allow_credentials=False,
        )
    if bounds.trusted_proxies:
        trusted = [*_LOOPBACK, *bounds.trusted_proxies]
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=trusted)
    app.add_middleware(RequestId)
    app.add_middleware(HttpMetrics, application="api")
