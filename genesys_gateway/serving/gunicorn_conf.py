"""Configures gunicorn: one gevent worker, started only after all checks have passed, and drained before it ends."""

from gevent import monkey

monkey.patch_all()  # before anything imports ssl or psycopg, which would block or break later

import gc

gc.disable()  # loading makes hardly any garbage, and looking for it takes a tenth of the start

import importlib
import os
import platform
import signal
import sys
from importlib.util import find_spec
from typing import Any

import gunicorn.util

from genesys_gateway.runtime import logs, stop_signal
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.version import __version__
from genesys_gateway.settings import rules
from genesys_gateway.web import gunicorn_master, problems, routes
from genesys_gateway.web.gunicorn_logs import GunicornLogger
from genesys_gateway.web.gunicorn_worker import HEAD_SECONDS

# All code is loaded here, in the master: a worker that starts later has the same release, whatever is on the disk then.
importlib.import_module("genesys_gateway.serving.app")
if find_spec("psycopg"):
    for name in ("postgresql", "postgres_own_connection"):
        importlib.import_module(f"genesys_gateway.storage.{name}")
gc.collect()
gc.freeze()  # a worker never looks for garbage among what was loaded, and so never copies its pages
gc.enable()

#: At the end of a worker: seconds for the requests under way, and after that for the gateway. Together less than 25 s.
_HTTP_DRAIN_SECONDS = 5
_GATEWAY_STOP_SECONDS = 17.0
#: How long an idle connection may still be used after SIGTERM.
_IDLE_SECONDS = 2.0


def _bind() -> str:
    """GATEWAY_BIND, or the default if it is wrong: :func:`on_starting` reports that before anything is bound."""
    default = "127.0.0.1:8080"
    try:
        return rules.bind(os.environ.get("GATEWAY_BIND", "").strip() or default)
    except ValueError:
        return default


bind = _bind()
worker_class = "genesys_gateway.web.gunicorn_worker.BoundedWorker"
# Beyond this number the longest idle connection is closed; if none is idle, new ones wait in the kernel. Each takes a
# file descriptor; the usual limit of a process is 1024.
worker_connections = 400
# The channel registry lives in the worker: a second worker would make a second set of channels.
workers = 1
graceful_timeout = 30
# The heartbeat of the worker is the date of an open file there: in memory, so that a slow disk does not look like a
# worker that hangs, and so that nothing else has to be writable. None: the folder for temporary files.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - the file's name is random
# Otherwise gunicorn opens a control socket that all gunicorns of this user share.
control_socket_disable = True
# Not what its name says: the worker has its own limits, but with 0 gunicorn would answer one request per connection.
keepalive = HEAD_SECONDS
limit_request_line = 2048
limit_request_fields = 50
limit_request_field_size = 8190
# No header may change the address, the scheme or the caller of a request. By default gunicorn believes every process
# on this machine, and thus every header that a local proxy passes on. Nothing here needs X-Forwarded-… headers.
forwarded_allow_ips = ""
forwarder_headers = ""
logger_class = GunicornLogger
accesslog = "-"

_LOG_FORMAT = os.environ.get("GATEWAY_LOG_FORMAT", "").strip().lower() or "auto"
_LOGS_ARE_TEXT = _LOG_FORMAT == "text" or (_LOG_FORMAT == "auto" and sys.stderr.isatty())
logs.configure(os.environ.get("GATEWAY_LOG_LEVEL", ""), "text" if _LOGS_ARE_TEXT else "json", in_background=True)
if not _LOGS_ARE_TEXT:
    logs.capture_everything()
log = logs.get_logger("gunicorn.conf")
log.info("starting", version=__version__, python=platform.python_version())  # the first line of all


def _write_problem(sock: Any, status: int, _reason: str, _message: str) -> None:
    """Answer a request that never reaches the app, such as malformed HTTP, in the same form as all other errors."""
    detail = "The request is not valid HTTP." if status < 500 else "An unexpected error; it has been logged."
    body = problems.document(status, detail)
    head = f"HTTP/1.1 {status} -\r\nConnection: close\r\nContent-Type: {problems.CONTENT_TYPE}\r\n"
    gunicorn.util.write_nonblock(sock, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


# The one place where gunicorn writes an answer of its own: HTML that repeats the bad header.
gunicorn.util.write_error = _write_problem


def _say(text: str) -> None:
    logs.flush()
    sys.stderr.write(text)


def on_starting(server: Any) -> None:
    """Check settings and database before any worker starts: only here can a mistake end gunicorn with its exit code."""
    gunicorn_master.start(server, os.environ, _say if _LOGS_ARE_TEXT else None)


def when_ready(_server: Any) -> None:
    """Let SIGTERM through, which the command run holds back until gunicorn handles it: now, before the first worker."""
    stop_signal.let_through()


# A new worker lets it through as soon as it has a handler of its own.
os.register_at_fork(before=stop_signal.hold, after_in_parent=stop_signal.let_through)


def post_worker_init(worker: Any) -> None:
    """Begin the gateway in the process of its worker, and drain it as soon as the worker gets SIGTERM."""
    gateway = worker.wsgi.extensions[routes.GATEWAY]
    worker.keepalive_seconds = gateway.settings.keepalive_seconds
    reloads = gunicorn_master.reloads.count
    tasks = TaskGroup("worker", lambda name, error: log.error("greenlet_crashed", greenlet=name, exc_info=error))

    def end(signal_number: int, frame: object) -> None:
        worker.handle_exit(signal_number, frame)
        # A signal handler runs inside the event loop and must not wait there.
        replaced = gunicorn_master.reloads.count > reloads
        tasks.spawn("drain", lambda: gateway.drain(successor=replaced))
        tasks.spawn("idle", close_idle)

    def close_idle() -> None:
        tasks.wait(_IDLE_SECONDS)
        worker.connections.close()

    signal.signal(signal.SIGTERM, end)
    # Only in the worker: slow requests must leave the gateway time to stop before the master kills the worker.
    worker.cfg.set("graceful_timeout", _HTTP_DRAIN_SECONDS)
    gateway.begin()


def worker_exit(_server: Any, worker: Any) -> None:
    """Stop the gateway, after the last request has ended."""
    if app := getattr(worker, "wsgi", None):
        app.extensions[routes.GATEWAY].stop(_GATEWAY_STOP_SECONDS)
