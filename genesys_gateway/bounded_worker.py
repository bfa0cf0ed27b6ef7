"""gunicorn's gevent worker, in which no request lasts for ever.

Law: a client that sends or reads too slowly costs one connection for a bounded time, and nobody else anything.
"""

from typing import Any

import gevent
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped] # it has no types

from genesys_gateway.logs import get_logger

#: Seconds from the end of a request's head to the last byte of its answer. A request waits a few seconds for the disk
#: at most; what takes longer is a client that does not read.
REQUEST_SECONDS = 30.0

log = get_logger(__name__)


class BoundedWorker(GeventWorker):  # type: ignore[misc] # for the same reason
    """gunicorn's ``worker_class``. It bounds the head of a request by itself (``keepalive``), but nothing after it."""

    def handle_request(self, listener_name: object, req: Any, sock: Any, addr: object) -> None:
        """Of gunicorn: answer one request. One that lasts too long ends with its connection."""
        limit = gevent.Timeout.start_new(REQUEST_SECONDS)
        try:
            super().handle_request(listener_name, req, sock, addr)
        except gevent.Timeout as passed:
            if passed is not limit:
                raise
            log.warning("request_cut", method=str(req.method)[:20], seconds=REQUEST_SECONDS)
            # What gunicorn takes for: close this connection.
            raise StopIteration from None
        finally:
            limit.close()
