"""`simulator bofe`: plays BOFE, which registers each conversation it is told of with the gateway."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from gevent.pool import Pool
from gevent.pywsgi import WSGIServer

from genesys_gateway.simulator.http_connections import NO_ANSWER, HttpConnections
from genesys_gateway.simulator.server import listening_socket, wait_until_stopped
from genesys_gateway.simulator.wire import Answer, Environ, Request, StartResponse, send

#: Environment variable for the token; other users of the machine can read arguments.
TOKEN_VARIABLE = "BOFE_TOKEN"  # noqa: S105 - the name of a variable

_PATH = "/customers/supportInteraction"
_TIMEOUT_SECONDS = 12.0
#: Maximum number of connections that are served at the same time.
_MOST_CONNECTIONS = 256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `bofe` to a parser."""
    parser.add_argument("--gateway", default="http://127.0.0.1:8080", help="base URL of the gateway")
    parser.add_argument("--token", help=f"bearer token; better given as {TOKEN_VARIABLE} in the environment")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="file that holds the token")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=9100, help="port to listen on (default 9100; 0: any)")


def serve(options: argparse.Namespace) -> int:
    """Run until SIGINT or SIGTERM, then print how often each status was answered. Returns the exit code."""
    try:
        token = _token(options)
    except (OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"bofe: --token-file can't be read: {type(error).__name__}\n")
        return 2
    if not token or not options.gateway.startswith("http://"):
        sys.stderr.write(f"bofe: needs a token ({TOKEN_VARIABLE}) and the gateway's URL, which begins with http://\n")
        return 2
    bofe = Bofe(options.gateway, token)
    try:
        bofe.start(options.host, options.port)
    except OSError as error:
        sys.stderr.write(f"bofe: {error}\n")
        return 2
    sys.stdout.write(f"BOFE: {bofe.url}  registers at {options.gateway}\n")
    sys.stdout.flush()
    wait_until_stopped()
    bofe.stop()
    for status, count in sorted(bofe.answers.items()):
        sys.stdout.write(f"{count:>8}  {status or 'no answer'}\n")
    return 0


def _token(options: argparse.Namespace) -> str:
    if options.token_file:
        text: str = options.token_file.read_text()
        return text.strip()
    return options.token or os.environ.get(TOKEN_VARIABLE, "")


class Bofe:
    """A server that passes each POST on to the gateway, with BOFE's token, and answers as the gateway did.

    Without an answer of the gateway it answers 502. It never tries again: the caller does.
    """

    def __init__(self, gateway: str, token: str) -> None:
        self._target = gateway.rstrip("/") + _PATH
        self._headers = {"Authorization": f"Bearer {token}"}
        self._connections = HttpConnections(_TIMEOUT_SECONDS)
        self._server: WSGIServer | None = None
        self.url = ""
        #: Status of the gateway -> how often; 0: no answer.
        self.answers: Counter[int] = Counter()

    def start(self, host: str, port: int) -> None:
        """Listen. Raises OSError if the port is in use."""
        listening = listening_socket(host, port)
        self.url = f"http://{host}:{listening.getsockname()[1]}"
        self._server = WSGIServer(listening, self._answer, log=None, spawn=Pool(_MOST_CONNECTIONS))
        self._server.start()

    def stop(self) -> None:
        """End all connections. Has no effect if it does not listen."""
        if self._server is not None:
            self._server.stop(timeout=0.1)
            self._server = None
        self._connections.close()

    def _answer(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request = Request.of(environ)
        if request.method != "POST":
            return send(Answer(status=405, headers={"Allow": "POST"}), start_response)
        try:
            reply = self._connections.post(self._target, request.body, self._headers, lambda: None)
        except NO_ANSWER as error:
            self.answers[0] += 1
            text = f"the gateway gave no answer: {type(error).__name__}"
            return send(Answer(status=502, body={"error": text}), start_response)
        self.answers[reply.status] += 1
        return send(Answer(status=reply.status, body=reply.body), start_response)
