"""The headers that tell a browser what our pages may do. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

_POLICY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "default-src": ("'self'",),
        "connect-src": ("'self'",),
        "img-src": ("'self'", "data:"),
        "base-uri": ("'none'",),
        "form-action": ("'self'",),
        "frame-ancestors": ("'none'",),
        "object-src": ("'none'",),
    }
)
_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        # The page /device reads the phone's motion sensors; nothing of ours needs the others.
        "Permissions-Policy": (
            "accelerometer=(self), gyroscope=(self), magnetometer=(self), "
            "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        ),
    }
)
_TRANSPORT_SECURITY = "max-age=31536000"


def security_headers(*, is_https: bool) -> dict[str, str]:
    """Return the headers of an answer that has none of them yet."""
    headers = {"Content-Security-Policy": content_policy({}), **_HEADERS}
    if is_https:
        headers["Strict-Transport-Security"] = _TRANSPORT_SECURITY
    return headers


def content_policy(more: Mapping[str, tuple[str, ...]]) -> str:
    """Return a Content-Security-Policy: ours, with ``more`` sources by directive."""
    return "; ".join(
        " ".join((directive, *sources, *more.get(directive, ())))
        for directive, sources in _POLICY.items()
    )
