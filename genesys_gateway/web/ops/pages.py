"""The pages about the whole service: the overview with its stream, the runbook, and the files that pages load.

Invariant: the overview asks no database; what it shows is the latest status in memory.
"""

from typing import cast

import orjson
from flask import Blueprint, Response, current_app, make_response, redirect, request
from werkzeug.exceptions import NotFound

from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime.greenlets import pause
from genesys_gateway.web import problems, routes
from genesys_gateway.web.ops import access, assets
from genesys_gateway.web.ops.overview import SECTIONS, Overview, Rendering
from genesys_gateway.web.ops.runbook import runbook
from genesys_gateway.web.ops.stream import STREAMS, Stream
from genesys_gateway.web.ops.templating import page_of

blueprint = Blueprint("ops_pages", __name__, url_prefix="/ops")

#: Keys in ``app.extensions``.
_OVERVIEW, _STREAM = "genesys_gateway_overview", "genesys_gateway_stream"
#: How long a browser may keep a file whose address names its content, in seconds.
_FILE_SECONDS = 86_400
_FULL = f"{STREAMS} pages are kept up to date already; ask for /ops/sections now and then."
_FULL_RETRY_SECONDS = "10"


@blueprint.get("")
def without_slash() -> Response:
    """Leads to the overview; werkzeug's own redirect would name the host, and ``http`` behind a proxy."""
    pause()
    return make_response(redirect("/ops/", 303))


@blueprint.get("/")
@access.page
def overview() -> Response:
    """Whether the promise is kept, what is wrong, and how the service is."""
    rendering = _rendering()
    return page_of("overview.html", {"names": SECTIONS, "html": rendering.html, "troubles": rendering.troubles})


@blueprint.get("/sections")
@access.watcher
def sections() -> Response:
    """The sections of the overview as JSON, for a page that has no stream."""
    return Response(orjson.dumps(_rendering().since(-1)), content_type="application/json")


@blueprint.get("/stream")
@access.watcher
def stream() -> Response:
    """The sections that change, as server-sent events."""
    gateway = routes.gateway()
    status, streams = routes.current_status(), _stream(gateway)
    give_back = streams.begin()
    if give_back is None:
        return problems.answer(503, _FULL, headers={"Retry-After": _FULL_RETRY_SECONDS})
    response = Response(streams.events(status), content_type="text/event-stream")
    response.call_on_close(give_back)
    response.headers["X-Accel-Buffering"] = "no"  # a proxy must not collect what should arrive now
    return response


@blueprint.get("/runbook")
@access.page
def whole_runbook() -> Response:
    """What to do about each trouble."""
    return page_of("runbook.html", {"runbook": runbook()})


@blueprint.get("/static/<name>")
def file(name: str) -> Response:
    """A file that pages load; the login needs it, too."""
    pause()
    if name not in assets.TYPES:
        raise NotFound
    response = Response(assets.content(name), content_type=assets.TYPES[name])
    named = request.args.get("v") is not None
    response.headers["Cache-Control"] = f"max-age={_FILE_SECONDS}" if named else "no-cache"
    return response


def _rendering() -> Rendering:
    return _overview(routes.gateway()).of(routes.current_status())


def _overview(gateway: routes.GatewayFacade) -> Overview:
    if _OVERVIEW not in current_app.extensions:
        current_app.extensions[_OVERVIEW] = Overview(gateway.settings, gateway.hour)
    return cast(Overview, current_app.extensions[_OVERVIEW])


def _stream(gateway: routes.GatewayFacade) -> Stream:
    if _STREAM not in current_app.extensions:
        current_app.extensions[_STREAM] = Stream(
            gateway.watch, _overview(gateway), SystemClock(), gateway.metrics.ops_streams
        )
    return cast(Stream, current_app.extensions[_STREAM])
