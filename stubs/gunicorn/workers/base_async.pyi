from typing import Any

from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.workertmp import WorkerTmp

class AsyncWorker:
    cfg: Config
    tmp: WorkerTmp
    wsgi: Any
    worker_connections: int
    def __init__(
        self, age: int, ppid: int, sockets: list[Any], app: Any, timeout: float, cfg: Config, log: Logger
    ) -> None: ...
    def load_wsgi(self) -> None: ...
    def timeout_ctx(self) -> Any: ...
    def handle(self, listener: Any, client: Any, addr: Any) -> None: ...
    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None: ...
