"""Why a WebSocket ends: the codes a client is closed with, and what each asks of it.

| code | meaning | the client |
|---|---|---|
| 1008 | what it asked for is wrong, or it said too much | mends it |
| 1009 | a message of it is too large | mends it |
| 1012 | the replica restarts | comes back and resumes |
| 1013 | full | comes back later |
| 4401 | the log-in has ended | logs in anew |
| 4403 | not for this log-in | gives up |
| 4408 | it did not answer a ping in time | comes back and resumes |

1009 and 1012 are the server's own (:mod:`serve.live_socket`, uvicorn).
"""

POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013
LOGIN_ENDED = 4401
FORBIDDEN = 4403
NO_PONG = 4408

_MOST_REASON_BYTES = 123


class ClosingError(Exception):
    """A connection must end: with this code, for this reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        # A close frame has room for no more; a character cut in two is left out.
        self.reason = reason.encode()[:_MOST_REASON_BYTES].decode(errors="ignore")
