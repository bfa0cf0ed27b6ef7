"""Exits 0 if the gateway in this container answers /livez, or the path that is given, with 200.

It imports no part of the gateway and no HTTP client, so that a check takes a few hundredths of a second.
"""

import os
import socket
import sys

#: Seconds for the connection, and again for each part of the answer.
_PATIENCE = 4.0


def connect(bind: str) -> socket.socket:
    """Open a connection to the gateway that listens at ``bind``: host:port or unix:/path."""
    if bind.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_PATIENCE)
        connection.connect(bind.removeprefix("unix:"))
        return connection
    host, _, port = bind.rpartition(":")
    # Who listens at every address is asked at the one of loopback.
    host = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]"))  # noqa: S104 - nothing listens here
    return socket.create_connection((host, int(port)), _PATIENCE)


def answer(bind: str, path: str) -> str:
    """Return the first line of the answer to GET ``path``."""
    with connect(bind) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode("ascii"))
        return connection.makefile(encoding="latin-1").readline().strip()


def main() -> None:
    """Ask once, and exit with 0 or with the reason."""
    path = sys.argv[1] if len(sys.argv) > 1 else "/livez"
    try:
        line = answer(os.environ.get("GATEWAY_BIND", "").strip() or "127.0.0.1:8080", path)
    except (OSError, ValueError) as error:
        sys.exit(f"{path}: {error}")
    if line.split()[1:2] != ["200"]:
        sys.exit(f"{path}: {line or 'no answer'}")


if __name__ == "__main__":
    main()
