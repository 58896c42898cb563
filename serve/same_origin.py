"""Whether a browser sends a request for a page of ours. Pure.

A browser sends its cookies along whichever page asks: `Origin` and `Sec-Fetch-Site`, which no
script can set, tell whose page it is.
https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def changes_something(method: str) -> bool:
    """Return whether a method is one that may change something (not safe, RFC 9110, 9.2.1)."""
    return method not in _SAFE_METHODS


def from_own_page(headers: Mapping[str, str]) -> bool:
    """Return whether the headers prove that a page of this very origin asks.

    headers: names in lower case.
    """
    origin = headers.get("origin")
    if origin is not None:
        return _is_own(origin, headers)
    return headers.get("sec-fetch-site") == "same-origin"


def from_another_page(headers: Mapping[str, str]) -> bool:
    """Return whether the headers say that a page of another origin asks.

    Programs send no `Origin`. A browser sends it with every WebSocket.
    """
    origin = headers.get("origin")
    return origin is not None and not _is_own(origin, headers)


def _is_own(origin: str, headers: Mapping[str, str]) -> bool:
    try:
        place = urlsplit(origin).netloc.lower()
    except ValueError:
        return False
    return place != "" and place == headers.get("host", "").lower()
