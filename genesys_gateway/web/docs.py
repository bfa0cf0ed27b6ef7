"""Serves the description of the HTTP interface, for programs (``/openapi.json``) and for people (``/docs``).

Invariant: everything the page needs comes from this process, and the page's headers forbid it to contact another host.
"""

from functools import cache
from importlib.resources import files

from flask import Blueprint, Response
from werkzeug.exceptions import NotFound

from genesys_gateway.runtime.greenlets import pause
from genesys_gateway.web import openapi

blueprint = Blueprint("reference", __name__)

#: Files below ``/docs/`` that the page loads, with their content types.
_ASSETS = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
_START = "start.js"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Genesys-gateway</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" type="image/png" href="docs/favicon-32x32.png">
</head>
<body>
<div id="page"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
#: The page offers no way to try a method out: a click must not register anything.
_SCRIPT = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#page",
  deepLinking: true,
  supportedSubmitMethods: [],
  defaultModelsExpandDepth: 0
});
"""

_SECURITY_HEADERS = {
    # Swagger UI writes styles into the page, and images into those styles.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@blueprint.get("/openapi.json")
def description() -> Response:
    """The OpenAPI document."""
    return _response(openapi.document(), "application/json")


@blueprint.get("/docs")
def page() -> Response:
    """The page that shows the document."""
    return _response(_PAGE.encode(), "text/html; charset=utf-8")


@blueprint.get("/docs/<name>")
def asset(name: str) -> Response:
    """One of the files that the page loads; any other name is 404."""
    if name == _START:
        return _response(_SCRIPT.encode(), "text/javascript; charset=utf-8")
    if name not in _ASSETS:
        raise NotFound
    response = _response(_bundled(name), _ASSETS[name])
    response.headers["Cache-Control"] = "max-age=3600"
    return response


@cache
def _bundled(name: str) -> bytes:
    return files("flask_swagger_ui").joinpath("dist", name).read_bytes()


def _response(body: bytes, content_type: str) -> Response:
    # These views never wait, so let other greenlets run, as in routes.
    pause()
    return Response(body, headers=_SECURITY_HEADERS, content_type=content_type)
