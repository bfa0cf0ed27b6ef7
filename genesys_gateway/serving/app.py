"""Builds the Flask application: the HTTP interface in front of a gateway."""

import os
import signal

from flask import Flask, Request, request
from werkzeug.exceptions import NotFound
from werkzeug.routing import MapAdapter

from genesys_gateway.gateway import Gateway
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.settings.checked import kept_or_read
from genesys_gateway.web import docs, json_body, problems, routes, traced
from genesys_gateway.web.auth import guard_of
from genesys_gateway.web.ops import site
from genesys_gateway.web.request_metrics import RequestMetrics

log = get_logger(__name__)


class _Application(Flask):
    """Ignores a request's offer to upgrade to WebSocket, as HTTP allows; werkzeug would look for a WebSocket route."""

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Called by Flask to find the route of a request."""
        if request is not None:
            request.environ.pop("HTTP_UPGRADE", None)
        return super().create_url_adapter(request)


def create_app(gateway: routes.GatewayFacade | None = None, *, body_seconds: float = json_body.BODY_SECONDS) -> Flask:
    """Make the application for a gateway.

    Args:
        gateway: The gateway to serve; by default one is made from the settings that gunicorn's master has checked,
            or else from the environment. The caller begins and stops it; until it serves, requests get 503.
        body_seconds: Time within which the whole body of a request must arrive.

    Raises:
        SettingsError: The environment does not describe a gateway.
    """
    served = gateway or Gateway(kept_or_read(os.environ), on_broken=_end_this_worker)
    app = _Application(__name__, static_folder=None)
    # OPTIONS is answered with 405 like any other unsupported method: browsers are no callers, so there is no CORS.
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.config[routes.BODY_SECONDS] = body_seconds
    # Otherwise werkzeug redirects a path with double slashes, which only some callers follow. It is answered with 404.
    app.url_map.merge_slashes = False
    app.extensions[routes.GATEWAY] = served
    guard = app.extensions[routes.GUARD] = guard_of(served.settings, SystemClock())
    app.before_request(_reject_disguised_path)
    app.register_blueprint(routes.blueprint)
    app.register_blueprint(docs.blueprint)
    site.install(app, served.settings, guard, SystemClock())
    problems.install(app)
    if served.settings.otel_exporter_otlp_endpoint is not None:
        traced.install(app)
    RequestMetrics(app, served.metrics)
    return app


def _reject_disguised_path() -> None:
    # werkzeug drops leading slashes and decodes %2F to a slash. A proxy with rules for /ops/ does neither, and would
    # let such a path through.
    raw_path = str(request.environ.get("RAW_URI", "")).partition("?")[0].lower()
    if request.environ["PATH_INFO"].startswith("//") or "%2f" in raw_path:
        raise NotFound


def _end_this_worker(greenlet: str) -> None:
    """Drain and end, as on SIGTERM. The master starts a new worker, which continues with the state on disk."""
    log.critical("worker_ends_itself", greenlet=greenlet)
    os.kill(os.getpid(), signal.SIGTERM)
