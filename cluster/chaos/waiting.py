"""Wait for a condition, never for a time."""

import time
from collections.abc import Callable

from pipelines.errors import UnavailableError

_POLL_S = 0.05


def wait_for(what: str, condition: Callable[[], bool], timeout_s: float = 60.0) -> float:
    """Wait until ``condition`` holds; return the seconds it took.

    Raises:
        UnavailableError: it does not hold in time.
    """
    began_s = time.monotonic()
    while not condition():
        if time.monotonic() - began_s > timeout_s:
            raise UnavailableError(f"{what}: not within {timeout_s:g} s")
        time.sleep(_POLL_S)
    return time.monotonic() - began_s


def hold(seconds: float) -> None:
    """Let an outage last: here the time itself is what is tested."""
    end_s = time.monotonic() + seconds
    wait_for("the outage lasts", lambda: time.monotonic() >= end_s, seconds + 5)
