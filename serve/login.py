"""Exchange a one-time log-in code for a cookie, once; and log out."""

import html
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from pipelines.errors import ConfigurationError, DataError, UnavailableError
from pipelines.settings import Settings
from serve.auth import COOKIE, new_token
from serve.gate import page
from serve.local_issuer import Kind, read_one_time
from serve.one_time import OneTimeUse
from serve.principal import SCOPE_KEY

_NOT_KEPT = {"Cache-Control": "no-store"}


def login_routes(settings: Settings, codes: OneTimeUse) -> APIRouter:
    """Return the routes `/login?code=...` and `/logout`."""
    router = APIRouter()

    @router.get("/login", summary="Exchange a one-time code for a cookie", status_code=303)
    async def log_in(request: Request, code: str = "") -> Response:
        """Log a browser in. A code works once, within 15 minutes."""
        hours = settings.auth.cookie_hours
        try:
            found = read_one_time(settings.auth, code, Kind.LOGIN_CODE)
            await codes.use(found.jti, found.expires_s)
            who = found.principal
            token = new_token(settings, hours, who.role, who.sensors, who.subject)
        except (DataError, ConfigurationError) as error:
            return _refused_code(HTTPStatus.UNAUTHORIZED, f"This link does not work: {error}.")
        except UnavailableError as error:
            return _refused_code(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}.")
        request.scope[SCOPE_KEY] = who
        # Away from the address with the code, which then stays in no history and no referrer.
        response = RedirectResponse("/", HTTPStatus.SEE_OTHER, _NOT_KEPT)
        response.set_cookie(
            COOKIE,
            token,
            max_age=int(hours * 3600),
            path="/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return response

    @router.post("/logout", summary="Forget this browser's log-in", status_code=204)
    async def log_out() -> Response:
        """Delete the cookie. A token that was copied from it works until it expires."""
        response = Response(
            status_code=HTTPStatus.NO_CONTENT,
            headers={**_NOT_KEPT, "Clear-Site-Data": '"cookies"'},
        )
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return response

    return router


def _refused_code(status: int, why: str) -> Response:
    return page(
        status,
        "imustream: not logged in",
        html.escape(why),
        "<code>imustream link</code> prints a new one.",
    )
