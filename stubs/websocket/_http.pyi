import socket as _socket

from ._socket import SockOpt

class ProxyInfo:
    def __init__(
        self,
        *,
        http_proxy_host: str | None = ...,
        http_proxy_port: int = ...,
        http_proxy_auth: tuple[str, str] | None = ...,
        http_no_proxy: list[str] | None = ...,
    ) -> None: ...

def connect(
    url: str, options: SockOpt, proxy: ProxyInfo, socket: _socket.socket | None
) -> tuple[_socket.socket, tuple[str, int, str]]: ...

proxy_info = ProxyInfo
