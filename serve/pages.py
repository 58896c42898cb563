"""The files of the dashboard and of the OpenAPI page, all served by us: no page loads from afar.

Third-party files come from `node_modules`, which `make setup` fills.
"""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

_ROOT = Path(__file__).resolve().parents[1]
_DASHBOARD = _ROOT / "serve" / "dashboard"
_VENDOR = {
    "/vendor/uplot": _ROOT / "node_modules" / "uplot" / "dist",
    "/vendor/swagger-ui": _ROOT / "node_modules" / "swagger-ui-dist",
}
_DOCS_START = """\
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
});
"""


class _Revalidated(StaticFiles):
    """Files that a browser keeps but asks about each time, so that an upgrade shows at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def add_pages(app: FastAPI) -> None:
    """Add `/docs`, `/vendor/` and, last because it takes every path, the dashboard at `/`."""

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>imustream API</title>'
            '<link rel="stylesheet" href="/vendor/swagger-ui/swagger-ui.css">'
            '<div id="swagger-ui"></div>'
            '<script src="/vendor/swagger-ui/swagger-ui-bundle.js"></script>'
            '<script src="/docs/start.js"></script></html>'
        )

    @app.get("/docs/start.js", include_in_schema=False)
    async def docs_start() -> Response:
        return Response(_DOCS_START, media_type="text/javascript")

    for path, folder in _VENDOR.items():
        app.mount(path, _Revalidated(directory=folder, check_dir=False))
    app.mount("/", _Revalidated(directory=_DASHBOARD, html=True))
