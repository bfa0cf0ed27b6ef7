"""The description of the door, for programs (``/openapi.json``) and for people (``/docs``).

Law: everything the page needs comes from this process: no other host is asked, and the page may ask none.
"""

from functools import cache
from importlib.resources import files

import gevent
from flask import Blueprint, Response
from werkzeug.exceptions import NotFound

from genesys_gateway.web import openapi

blueprint = Blueprint("reference", __name__)

#: Below ``/docs/``: what the page loads.
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
#: Without any method to try out: a click in a page must not register anything.
_SCRIPT = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#page",
  deepLinking: true,
  supportedSubmitMethods: [],
  defaultModelsExpandDepth: 0
});
"""

_SAFE = {
    # Swagger UI writes styles into the page, and draws with images that stand in them.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@blueprint.get("/openapi.json")
def description() -> Response:
    """The description itself."""
    return _answer(openapi.document(), "application/json")


@blueprint.get("/docs")
def page() -> Response:
    """The page that shows it."""
    return _answer(_PAGE.encode(), "text/html; charset=utf-8")


@blueprint.get("/docs/<name>")
def asset(name: str) -> Response:
    """What the page is made of; nothing that was not named here beforehand."""
    if name == _START:
        return _answer(_SCRIPT.encode(), "text/javascript; charset=utf-8")
    if name not in _ASSETS:
        raise NotFound
    answer = _answer(_bundled(name), _ASSETS[name])
    answer.headers["Cache-Control"] = "max-age=3600"
    return answer


@cache
def _bundled(name: str) -> bytes:
    return files("flask_swagger_ui").joinpath("dist", name).read_bytes()


def _answer(body: bytes, content_type: str) -> Response:
    # As every address that waits for nothing: pass through the loop once.
    gevent.sleep(1e-7)
    return Response(body, headers=_SAFE, content_type=content_type)
