from collections.abc import Callable
from typing import Any

# A variable, because gunicorn.conf.py replaces it.
write_error: Callable[[Any, int, str, str], None]

def write_nonblock(sock: Any, data: bytes, chunked: bool = False) -> None: ...

# A variable, because web/gunicorn_worker.py replaces it.
http_date: Callable[[], str]
