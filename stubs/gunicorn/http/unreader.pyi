from io import BytesIO
from typing import Any

class SocketUnreader:
    sock: Any
    buf: BytesIO
    def __init__(self, sock: Any, max_chunk: int = 8192) -> None: ...
    def chunk(self, size_hint: int | None = None) -> bytes: ...
