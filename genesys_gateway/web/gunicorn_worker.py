"""gunicorn's gevent worker, with a time limit for each request and exactly one answer.

Invariant: a client that sends or reads too slowly, or sends too much, costs one connection for a bounded time and does
not delay other clients. Unread bytes of a request are never parsed as the next request.
"""

import sys
from contextlib import suppress
from typing import Any

import gevent
import gunicorn.http.parser
from gunicorn.http.body import Body
from gunicorn.http.errors import ParseException
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.ggevent import GeventWorker

from genesys_gateway.runtime.logs import get_logger

#: Maximum time from the first byte of a request's head to its last, in seconds; and for what is left of a body.
HEAD_SECONDS = 2
#: Maximum time from the end of a request's head to the last byte of its answer, in seconds. A request waits at most a
#: few seconds for the disk; one that takes longer has a client that does not read.
REQUEST_SECONDS = 30.0
#: Pause before gunicorn starts another worker in the place of one that could not be started.
_PAUSE_SECONDS = 2.0
#: Maximum number of bytes in one read.
_PIECE = 64 * 1024
#: socket.SHUT_WR, as a number: only modules that open connections may import socket.
_SHUT_WR = 1

log = get_logger(__name__)


class _FairUnreader(SocketUnreader):
    """Reads from a socket, and lets other greenlets run before each read."""

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Called by gunicorn for the next piece of a request."""
        # gevent switches greenlets only when no bytes are there yet: a client that sends without a pause would keep
        # this one reading for ever.
        gevent.sleep(1e-7)
        # A small piece, because gunicorn copies the rest of the piece each time it takes a KiB from it.
        return super().chunk(size_hint and min(size_hint, _PIECE))


# gunicorn has no other way to replace it.
gunicorn.http.parser.SocketUnreader = _FairUnreader


class _Body(Body):
    """The body of a request. If reading it fails, the connection is closed after this request.

    gunicorn itself does that only after an Exception. Timeout and GreenletExit are no subclasses of it, but leave a
    chunk half read as well.
    """

    def __init__(self, req: Any) -> None:
        super().__init__(req.body.reader)
        self._req = req

    def _read_reader(self, size: int) -> bytes:
        try:
            return super()._read_reader(size)
        except BaseException:
            self._req.force_close()
            raise


class BoundedWorker(GeventWorker):
    """gunicorn's ``worker_class``. gunicorn itself limits only the time for the head of a request (``keepalive``)."""

    #: see :data:`REQUEST_SECONDS`; tests set less
    request_seconds = REQUEST_SECONDS

    def load_wsgi(self) -> None:
        """Called by gunicorn to make the application in this process."""
        try:
            super().load_wsgi()
        except Exception:
            # Whatever it is, it may pass. With the code of its own exit gunicorn would end the master.
            log.critical("worker_not_started", exc_info=True)
            gevent.sleep(_PAUSE_SECONDS)
            sys.exit(1)

    def handle_request(self, listener_name: object, req: Any, sock: Any, addr: object) -> None:
        """Called by gunicorn to answer one request. Raises StopIteration to have it close the connection."""
        req.body = _Body(req)
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
            log.warning("request_cut", method=str(req.method)[:20], seconds=self.request_seconds)
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
        try:
            with gevent.Timeout(HEAD_SECONDS):
                while body.read(_PIECE):
                    pass
        except (gevent.Timeout, gevent.GreenletExit, SystemExit, OSError, ParseException):
            raise StopIteration from None
