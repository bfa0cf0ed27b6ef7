"""The Flask application: the door and what stands behind it."""

import os
import signal

from flask import Flask, Request, request
from werkzeug.exceptions import NotFound
from werkzeug.routing import MapAdapter

from genesys_gateway.gateway import Gateway
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.settings import Settings
from genesys_gateway.web import docs, problems, routes
from genesys_gateway.web.auth import guard_of

log = get_logger(__name__)


class _Door(Flask):
    """Leaves an offer to go on as a WebSocket alone, as HTTP allows; werkzeug would look for a WebSocket's address."""

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Of flask: what finds the address."""
        if request is not None:
            request.environ.pop("HTTP_UPGRADE", None)
        return super().create_url_adapter(request)


def create_app(gateway: routes.GatewayFacade | None = None) -> Flask:
    """Put a door before a gateway.

    Args:
        gateway: What to serve; by default one is made from the environment. Its owner begins and stops it; until it
            serves, requests are answered with 503.

    Raises:
        SettingsError: The environment does not describe a gateway.
    """
    behind = gateway or Gateway(Settings.from_environment(os.environ), on_broken=_end_this_worker)
    app = _Door(__name__, static_folder=None)
    # OPTIONS is answered with 405 like any other method we don't have: browsers are no callers, so there is no CORS.
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    # A redirect would be followed by some callers and not by others; an address is right or it is not.
    app.url_map.merge_slashes = False
    app.extensions[routes.GATEWAY] = behind
    app.extensions[routes.GUARD] = guard_of(behind.settings, SystemClock())
    app.before_request(_refuse_disguised_path)
    app.register_blueprint(routes.blueprint)
    app.register_blueprint(docs.blueprint)
    problems.install(app)
    return app


def _refuse_disguised_path() -> None:
    # werkzeug drops leading slashes, and takes %2F for a slash; a proxy's rules for /ops/ would know neither.
    sent = str(request.environ.get("RAW_URI", "")).partition("?")[0].lower()
    if request.environ["PATH_INFO"].startswith("//") or "%2f" in sent:
        raise NotFound


def _end_this_worker(greenlet: str) -> None:
    """Drain and end, as on SIGTERM; the master starts a fresh worker, which goes on with what is on disk."""
    log.critical("worker_ends_itself", greenlet=greenlet)
    os.kill(os.getpid(), signal.SIGTERM)
