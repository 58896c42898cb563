"""The files of the dashboard and of the OpenAPI page, all served by us: no page loads from afar.

Third-party files come from `node_modules`, which `make setup` fills.
"""

import logging
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

log = logging.getLogger(__name__)

_SERVE = Path(__file__).resolve().parent
_DASHBOARD = _SERVE / "dashboard"
_OPENAPI_PAGE = _SERVE / "openapi_page"
_UPLOT = _SERVE.parent / "node_modules" / "uplot" / "dist"


class _Revalidated(StaticFiles):
    """Files that a browser keeps but asks about each time, so that an upgrade shows at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def add_pages(app: FastAPI) -> None:
    """Add `/docs`, `/vendor/uplot/` and, last because it takes every path, the dashboard at `/`."""

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(_OPENAPI_PAGE / "index.html")

    app.mount("/docs", _Revalidated(directory=_OPENAPI_PAGE))
    if _UPLOT.is_dir():
        app.mount("/vendor/uplot", _Revalidated(directory=_UPLOT))
    else:
        log.warning("%s is missing, so the dashboard draws no plots: run `make setup`", _UPLOT)
    app.mount("/", _Revalidated(directory=_DASHBOARD, html=True))
