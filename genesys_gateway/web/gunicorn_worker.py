"""gunicorn's gevent worker, in which no request lasts for ever and each is answered once.

Law: a client that sends or reads too slowly, or too much, costs one connection for a bounded time, and nobody else
anything. What is left of a request is never taken for the next one.
"""

from contextlib import suppress
from typing import Any

import gevent
import gunicorn.http.parser
from gunicorn.http.body import Body
from gunicorn.http.errors import ParseException
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.ggevent import GeventWorker

from genesys_gateway.runtime.logs import get_logger

#: Seconds from the end of a request's head to the last byte of its answer. A request waits a few seconds for the disk
#: at most; what takes longer is a client that does not read.
REQUEST_SECONDS = 30.0
#: Bytes that are read at once.
_PIECE = 64 * 1024
#: SHUT_WR of the module socket, which is for those who open connections.
_SENDING = 1

log = get_logger(__name__)


class _FairUnreader(SocketUnreader):
    """Takes bytes off a socket; all others have their turn before each piece."""

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Of gunicorn: the next piece."""
        # gevent waits only for what is not there yet: a client that sends without a pause would have us read for ever.
        gevent.sleep(1e-7)
        # gunicorn copies all of a piece for each KiB it takes from it.
        return super().chunk(size_hint and min(size_hint, _PIECE))


# Its one seam for that.
gunicorn.http.parser.SocketUnreader = _FairUnreader


class _Body(Body):
    """The body of a request, of which a piece that could not be read was the last on its connection.

    gunicorn closes after an Exception. A Timeout and a GreenletExit are none, and leave a chunk half read, too.
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
    """gunicorn's ``worker_class``. It bounds the head of a request by itself (``keepalive``), but nothing after it."""

    def handle_request(self, listener_name: object, req: Any, sock: Any, addr: object) -> None:
        """Of gunicorn: answer one request. StopIteration is what it takes for: close this connection."""
        req.body = _Body(req)
        limit = gevent.Timeout.start_new(REQUEST_SECONDS)
        try:
            # Not the parent's: it would go on with the next request of a connection after this one was killed.
            super(GeventWorker, self).handle_request(listener_name, req, sock, addr)
        except StopIteration:
            self._end(req.body, sock)
            raise
        except (gevent.GreenletExit, SystemExit):
            raise StopIteration from None
        except gevent.Timeout as passed:
            if passed is not limit:
                raise
            log.warning("request_cut", method=str(req.method)[:20], seconds=REQUEST_SECONDS)
            raise StopIteration from None
        finally:
            limit.close()
        self._throw_away(req.body)

    def _end(self, body: _Body, sock: Any) -> None:
        """Close our side first: to close both would reset the other, and whoever still sends would miss the answer."""
        with suppress(OSError):
            sock.shutdown(_SENDING)
        self._throw_away(body)

    def _throw_away(self, body: _Body) -> None:
        """Read what the answer did not wait for. gunicorn would do so later, and answer again if it is no good."""
        try:
            with gevent.Timeout(self.cfg.keepalive):
                while body.read(_PIECE):
                    pass
        except (gevent.Timeout, gevent.GreenletExit, SystemExit, OSError, ParseException):
            raise StopIteration from None
