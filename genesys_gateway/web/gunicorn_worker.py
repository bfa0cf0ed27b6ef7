"""gunicorn's gevent worker, with a time limit for each request, exactly one answer, and long-lived idle connections.

Invariant: a client that sends or reads too slowly, or sends too much, costs one connection for a bounded time and does
not delay other clients. Unread bytes of a request are never parsed as the next request.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

import gevent
import gunicorn.http.parser
import gunicorn.http.wsgi
import gunicorn.util
from gevent.local import local
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.errors import ParseException
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.ggevent import GeventWorker

from genesys_gateway.runtime import stop_signal
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime.greenlets import pause
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SampledLog
from genesys_gateway.web.gunicorn_response import WholeResponse, http_date
from genesys_gateway.web.idle_connections import FRESH_CONNECTIONS, IdleConnections

#: Maximum time from the first byte of a request's head to its last, in seconds; and for what is left of a body.
HEAD_SECONDS = 2
#: Maximum time from the end of a request's head to the last byte of its answer, in seconds. A request waits at most a
#: few seconds for the disk; one that takes longer has a client that does not read.
REQUEST_SECONDS = 30.0
#: By default, how long a connection is kept that waits for a request.
KEEPALIVE_SECONDS = 75.0
#: Number of connections that are taken beyond gunicorn's ``worker_connections``, so that an idle one can make way.
_SPARE = FRESH_CONNECTIONS + 16
#: Pause before gunicorn starts another worker in the place of one that could not be started.
_PAUSE_SECONDS = 2.0
#: Maximum number of bytes in one read.
_PIECE = 64 * 1024
#: socket.SHUT_WR, as a number: only modules that open connections may import socket.
_SHUT_WR = 1

log = get_logger(__name__)


class _Connection(local):
    """The connection that the current greenlet serves."""

    unreader: "_FairUnreader"
    #: the head that is being read; None while a body is
    head: "_Head | None" = None


_connection = _Connection()


class _FairUnreader(SocketUnreader):
    """Reads from a socket, and lets other greenlets run before each read."""

    def __init__(self, sock: Any, max_chunk: int = 8192) -> None:
        super().__init__(sock, max_chunk)
        _connection.unreader = self

    @property
    def has_bytes(self) -> bool:
        """Whether bytes were received that no request has used yet."""
        return bool(self.buf.getbuffer().nbytes)

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Called by gunicorn for the next piece of a request."""
        # gevent switches greenlets only when no bytes are there yet: a client that sends without a pause would keep
        # this one reading for ever.
        pause()
        if _connection.head is not None:
            return _connection.head.read(self.sock, super().chunk)
        # A small piece, because gunicorn copies the rest of the piece each time it takes a KiB from it.
        return super().chunk(size_hint and min(size_hint, _PIECE))


# gunicorn has no other way to replace these.
gunicorn.http.parser.SocketUnreader = _FairUnreader
gunicorn.util.http_date = http_date
gunicorn.http.wsgi.Response = WholeResponse  # type: ignore[misc] # a class for mypy, a name for gunicorn


class _Head:
    """The time limit for the head of a request: a long one for its first byte, a short one from then on."""

    def __init__(self, connections: IdleConnections, keepalive_seconds: float, head_seconds: float) -> None:
        self._connections = connections
        self._keepalive_seconds = keepalive_seconds
        self._head_seconds = head_seconds

    def __enter__(self) -> None:
        _connection.head = self
        self._begun = _connection.unreader.has_bytes
        self._limit = gevent.Timeout(self._head_seconds)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        _connection.head = None
        self._limit.close()
        return error is self._limit

    def read(self, sock: Any, receive: Callable[[], bytes]) -> bytes:
        """Receive the next bytes of the head; nothing if none come."""
        if not self._begun:
            self._begun = True
            return self._connections.first_bytes(sock, receive, self._keepalive_seconds)
        # Only now, because most heads come in one piece. No time has passed since that piece.
        if not self._limit.pending:
            self._limit.start()
        return receive()


class _Body(Body):
    """The body of a request. If reading it fails, the connection is closed after this request.

    gunicorn itself does that only after an Exception. Timeout and GreenletExit are no subclasses of it, but leave a
    chunk half read as well.
    """

    def __init__(self, req: Any) -> None:
        super().__init__(req.body.reader)
        self._req = req

    @property
    def ended(self) -> bool:
        """Whether it is known that nothing is left of it."""
        return isinstance(self.reader, LengthReader) and not self.reader.length

    def _read_reader(self, size: int) -> bytes:
        try:
            return super()._read_reader(size)
        except BaseException:
            self._req.force_close()
            raise


class BoundedWorker(GeventWorker):
    """gunicorn's ``worker_class``. gunicorn itself has one limit: for an idle connection and a head together."""

    _logger = SampledLog(log, SystemClock())
    #: see :data:`REQUEST_SECONDS`; tests set less
    request_seconds = REQUEST_SECONDS
    #: see :data:`HEAD_SECONDS`; tests set less
    head_seconds: float = HEAD_SECONDS
    #: see :data:`KEEPALIVE_SECONDS`
    keepalive_seconds = KEEPALIVE_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connections = IdleConnections(self.worker_connections)
        self.worker_connections += _SPARE

    def init_signals(self) -> None:
        """Called by gunicorn in the new process, which was forked with SIGTERM held back."""
        super().init_signals()
        stop_signal.let_through()

    def load_wsgi(self) -> None:
        """Called by gunicorn to make the application in this process."""
        try:
            super().load_wsgi()
        except Exception:
            # Whatever it is, it may pass. With the code of its own exit gunicorn would end the master.
            log.critical("worker_not_started", exc_info=True)
            gevent.sleep(_PAUSE_SECONDS)
            sys.exit(1)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Called by gunicorn to serve one connection until its end."""
        with self.connections.opened(client):
            super().handle(listener, client, addr)

    def timeout_ctx(self) -> _Head:
        """Called by gunicorn for a limit to the time in which a head is read."""
        return _Head(self.connections, self.keepalive_seconds, self.head_seconds)

    def handle_request(self, listener_name: object, req: Any, sock: Any, addr: object) -> None:
        """Called by gunicorn to answer one request. Raises StopIteration to have it close the connection."""
        req.body = _Body(req)
        if self.connections.leaves(sock):
            req.force_close()
        limit = gevent.Timeout.start_new(self.request_seconds)
        try:
            # Not GeventWorker's method: after a kill it would go on with the next request of the connection.
            super(GeventWorker, self).handle_request(listener_name, req, sock, addr)
        except StopIteration:
            self._finish(req.body, sock)
            raise
        except (gevent.GreenletExit, SystemExit):
            raise StopIteration from None
        except gevent.Timeout as passed:
            if passed is not limit:
                raise
            self._logger.warning("request_cut", method=str(req.method)[:20], seconds=self.request_seconds)
            raise StopIteration from None
        finally:
            limit.close()
        self._drain(req.body)

    def _finish(self, body: _Body, sock: Any) -> None:
        """Shut down only sending: closing both would reset the connection, and a slow sender would lose the answer."""
        with suppress(OSError):
            sock.shutdown(_SHUT_WR)
        self._drain(body)

    def _drain(self, body: _Body) -> None:
        """Read what is left of the body. gunicorn would do so later, and answer a second time if it is malformed."""
        if body.ended:
            return
        try:
            with gevent.Timeout(HEAD_SECONDS):
                while body.read(_PIECE):
                    pass
        except (gevent.Timeout, gevent.GreenletExit, SystemExit, OSError, ParseException):
            raise StopIteration from None
