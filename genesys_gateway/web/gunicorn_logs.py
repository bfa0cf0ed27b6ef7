"""gunicorn's own log lines, in the same form as all others.

Invariant: the line of a request holds its path, but never its query string, its headers or its body.
"""

import logging
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.web.traced import TRACE_ID

#: Maximum length of a logged path. The service's own paths are shorter; those that scanners send may be cut.
_LONGEST_PATH = 200

_QUERY = re.compile(r"\?[^\s'\"]*")
_BYTES = re.compile(r"\bb['\"].*", re.DOTALL)
_QUOTED = re.compile(r"b?['\"].*", re.DOTALL)


class GunicornLogger(Logger):
    """gunicorn's ``logger_class``: passes each line to the handlers that :mod:`genesys_gateway.runtime.logs` set up."""

    def setup(self, cfg: Any) -> None:
        """Called by gunicorn to add handlers. It gets none of its own: its lines go to the root logger's."""
        self.cfg = cfg
        self._access_log_enabled = True
        # Bound once: a logger that is not bound makes a new one for each line.
        self._access = get_logger("gunicorn.access").bind()
        for logger in (self.error_log, self.access_log):
            logger.handlers.clear()
            logger.propagate = True
        self.error_log.filters[:] = [_without_request_data]

    def access(self, resp: Any, _req: Any, environ: Mapping[str, Any], request_time: timedelta) -> None:
        """Called by gunicorn after each answered request: log one line."""
        trace_id = environ.get(TRACE_ID)
        self._access.info(
            "request",
            method=str(environ.get("REQUEST_METHOD", "-"))[:20],
            path=str(environ.get("PATH_INFO", "-"))[:_LONGEST_PATH],
            status=int(resp.status[:3]),
            ms=round(request_time.total_seconds() * 1000, 1),
            **({} if trace_id is None else {"trace_id": trace_id}),
        )


def _without_request_data(record: logging.LogRecord) -> bool:
    # gunicorn logs the whole target of a request it could not handle, and quotes what it could not parse: the bytes of
    # a request that ended too early, or parts of a header. Its other quotes hold no request data: addresses, settings.
    message = record.getMessage()
    quoted = _QUOTED if message.startswith("Invalid request") else _BYTES
    record.msg, record.args = _QUERY.sub("…", quoted.sub("…", message)), ()
    return True
