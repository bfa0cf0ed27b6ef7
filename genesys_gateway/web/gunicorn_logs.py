"""gunicorn's own lines, written the way all others are.

Law: a request's line names its path but never its query string, its headers or its body.
"""

import logging
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

from genesys_gateway.runtime.logs import get_logger

#: A path of ours is shorter; what a scanner sends need not be kept whole.
_LONGEST_PATH = 200

_QUERY = re.compile(r"\?[^\s'\"]*")
_BYTES = re.compile(r"\bb['\"].*", re.DOTALL)
_QUOTED = re.compile(r"b?['\"].*", re.DOTALL)

log = get_logger("gunicorn.access")


class GunicornLogger(Logger):
    """gunicorn's ``logger_class``: hands everything to the handlers :mod:`genesys_gateway.runtime.logs` set up."""

    def setup(self, cfg: Any) -> None:
        """Of gunicorn: choose handlers. Ours are the root's, so it gets none of its own."""
        self.cfg = cfg
        self._access_log_enabled = True
        for logger in (self.error_log, self.access_log):
            logger.handlers.clear()
            logger.propagate = True
        self.error_log.filters[:] = [_without_what_came]

    def access(self, resp: Any, req: Any, environ: Mapping[str, Any], request_time: timedelta) -> None:  # noqa: ARG002
        """Of gunicorn: one line for each request answered."""
        log.info(
            "request",
            method=str(environ.get("REQUEST_METHOD", "-"))[:20],
            path=str(environ.get("PATH_INFO", "-"))[:_LONGEST_PATH],
            status=int(str(resp.status).split()[0]),
            ms=round(request_time.total_seconds() * 1000, 1),
        )


def _without_what_came(record: logging.LogRecord) -> bool:
    # gunicorn names the whole target of a request it could not handle, and quotes what it could not read: bytes of
    # any request that ended too early, words of a header. Its other quotes are its own: addresses, settings.
    message = record.getMessage()
    quoted = _QUOTED if message.startswith("Invalid request") else _BYTES
    record.msg, record.args = _QUERY.sub("…", quoted.sub("…", message)), ()
    return True
