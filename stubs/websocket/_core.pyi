import socket
from collections.abc import Sequence
from typing import Any

from . import _abnf, _socket

class WebSocket:
    sock_opt: _socket.SockOpt
    sock: socket.socket | None
    frame_buffer: _abnf.FrameBuffer
    cont_frame: _abnf.ContinuousFrame

    def __init__(
        self,
        *,
        sockopt: Sequence[tuple[int, int, int]] | None = ...,
        sslopt: dict[str, Any] | None = ...,
        enable_multithread: bool = ...,
        skip_utf8_validation: bool = ...,
    ) -> None: ...
    def settimeout(self, timeout: float | None) -> None: ...
    def connect(self, url: str, **options: object) -> None: ...
    def send(self, payload: str | bytes, opcode: int = ...) -> int: ...
    def recv(self) -> str | bytes: ...
    def recv_data_frame(self, control_frame: bool = ...) -> tuple[int, _abnf.ABNF]: ...
    def recv_frame(self) -> _abnf.ABNF: ...
    def close(self, status: int = ..., reason: bytes = ..., timeout: float | None = ...) -> None: ...
    def shutdown(self) -> None: ...
    def _recv(self, bufsize: int) -> bytes: ...

def create_connection(
    url: str,
    timeout: float | None = ...,
    *,
    suppress_origin: bool = ...,
    enable_multithread: bool = ...,
    skip_utf8_validation: bool = ...,
) -> WebSocket: ...
