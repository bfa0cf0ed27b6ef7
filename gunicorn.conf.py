"""How gunicorn runs the gateway: one gevent worker, checked before it is started, drained before it ends."""

from gevent import monkey

monkey.patch_all()  # before anything imports ssl or psycopg: they would block, or break, later

import os
import signal
import sys
from typing import Any

import gunicorn.util
import psycopg.waiting

from genesys_gateway.runtime import logs
from genesys_gateway.runtime.errors import PermanentFailure, Unavailable
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.settings import Settings, SettingsError, rules
from genesys_gateway.storage.migrate import migrate
from genesys_gateway.web import problems, routes
from genesys_gateway.web.gunicorn_logs import GunicornLogger

#: Seconds for requests under way when a worker is told to end, and then for the gateway: together less than 25.
_HTTP_DRAIN_SECONDS = 5
_GATEWAY_STOP_SECONDS = 17.0
#: Exit code that says: configured wrongly, a repetition won't help.
_MISCONFIGURED = 2


def _bind() -> str:
    """GATEWAY_BIND, or the default where it is wrong: nothing is bound before :func:`on_starting` told of that."""
    default = "127.0.0.1:8080"
    try:
        return rules.bind(os.environ.get("GATEWAY_BIND", "").strip() or default)
    except ValueError:
        return default


bind = _bind()
worker_class = "genesys_gateway.web.gunicorn_worker.BoundedWorker"
# More wait in the kernel until one of these is done. Each takes a file, of which a process commonly may open 1024.
worker_connections = 400
# The registry of channels lives in the worker: a second worker would make a second set of channels.
workers = 1
graceful_timeout = 30
# Without this gunicorn opens a socket that every gunicorn of this user shares.
control_socket_disable = True
# Seconds for the head of a request, and between two requests: an idle connection keeps a worker from ending that long.
keepalive = 2
limit_request_line = 2048
limit_request_fields = 50
limit_request_field_size = 8190
# No header changes an address, a scheme or a caller, whoever sends it: gunicorn would believe any process of this
# machine, and so whatever a proxy on it hands on. Nothing here asks for what X-Forwarded-… tell.
forwarded_allow_ips = ""
forwarder_headers = ""
logger_class = GunicornLogger
accesslog = "-"

_FOR_PEOPLE = os.environ.get("GATEWAY_LOG_FORMAT", "").strip().lower() == "text"
logs.configure(os.environ.get("GATEWAY_LOG_LEVEL", ""), "text" if _FOR_PEOPLE else "json")
if not _FOR_PEOPLE:
    logs.capture_everything()
log = logs.get_logger("gunicorn.conf")


def _write_problem(sock: Any, status: int, _reason: str, _message: str) -> None:
    """Answer what is no HTTP, or no request the app ever sees, as all other errors are answered."""
    detail = "The request is not valid HTTP." if status < 500 else "An unexpected error; it has been logged."
    body = problems.document(status, detail)
    head = f"HTTP/1.1 {status} -\r\nConnection: close\r\nContent-Type: {problems.CONTENT_TYPE}\r\n"
    gunicorn.util.write_nonblock(sock, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


# The one place where gunicorn writes an answer of its own; it would be HTML that repeats the bad header.
gunicorn.util.write_error = _write_problem


def on_starting(_server: Any) -> None:
    """Check everything that can be wrong before there is a worker: only here does a mistake end with its exit code."""
    try:
        if getattr(psycopg.waiting.wait, "__name__", "") != "wait_poll":
            raise PermanentFailure("gevent's patches came too late: psycopg would block the whole worker")
        settings = Settings.from_environment(os.environ)
        if migrate(settings.database_url):
            log.info("database_migrated")
        reach("migrated")
    except SettingsError as error:
        if _FOR_PEOPLE:
            sys.stderr.write(f"{error}\n")
        else:
            log.critical("settings_wrong", mistakes=error.mistakes)
        sys.exit(_MISCONFIGURED)
    except (PermanentFailure, Unavailable, OSError) as error:
        log.critical("database_unusable", reason=str(error))
        sys.exit(_MISCONFIGURED)
    for warning in settings.warnings:
        log.warning("setting_to_look_at", warning=warning)


on_reload = on_starting


def post_worker_init(worker: Any) -> None:
    """Begin the gateway where its greenlets will live, and drain it from the moment the worker is told to end."""
    gateway = worker.wsgi.extensions[routes.GATEWAY]
    tasks = TaskGroup("worker", lambda name, error: log.error("greenlet_crashed", greenlet=name, exc_info=error))

    def end(signal_number: int, frame: object) -> None:
        worker.handle_exit(signal_number, frame)
        # A signal handler runs inside the event loop and must not wait there.
        tasks.spawn("drain", gateway.drain)

    signal.signal(signal.SIGTERM, end)
    # In the worker alone: slow requests must leave the gateway time to stop before the master kills.
    worker.cfg.set("graceful_timeout", _HTTP_DRAIN_SECONDS)
    gateway.begin()


def worker_exit(_server: Any, worker: Any) -> None:
    """Stop the gateway: no request is under way any more."""
    if app := getattr(worker, "wsgi", None):
        app.extensions[routes.GATEWAY].stop(_GATEWAY_STOP_SECONDS)
