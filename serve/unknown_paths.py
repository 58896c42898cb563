"""What is asked of `/api` and is not there: a problem that says so, not the dashboard's 404.

The dashboard takes every path, so the router would never see that a path exists for another
method; this stands before it.
"""

from http import HTTPStatus

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount
from starlette.types import Receive, Scope, Send

_PREFIX = "/api"
_METHODS = ("GET", "PUT", "POST", "PATCH", "DELETE")


def refuse_unknown_paths(app: FastAPI) -> None:
    """Answer what no route before this one takes: 405 with `Allow`, or 404."""

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        asked = {**scope, "root_path": scope.get("app_root_path", "")}
        allowed = [method for method in _METHODS if _takes(app, {**asked, "method": method})]
        if allowed:
            raise HTTPException(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"{path} does not take {scope['method']}, but {', '.join(allowed)}; see /docs.",
                {"Allow": ", ".join(allowed)},
            )
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no {path}; see /docs.")

    app.mount(_PREFIX, refuse)


def _takes(app: FastAPI, scope: Scope) -> bool:
    """Whether a route takes a path with this method; what is mounted takes every path."""
    routes = [route for route in app.routes if not isinstance(route, Mount)]
    return any(route.matches(scope)[0] is Match.FULL for route in routes)
