"""The whole simulator as one WSGI application: routes requests to the APIs, and applies the HTTP faults.

Invariant: every request of a client is recorded in the ledger with the status of its answer, 0 if it got none. Calls
of the control API and the console are not recorded.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

import gevent

from genesys_gateway.simulator import console, control, rest
from genesys_gateway.simulator.distortions import conversations_of, distorted
from genesys_gateway.simulator.errors import ConnectionDropped, ControlError
from genesys_gateway.simulator.faults import Fault
from genesys_gateway.simulator.sockets import serve
from genesys_gateway.simulator.wire import Answer, Environ, Request, StartResponse, send
from genesys_gateway.simulator.world import World

log = logging.getLogger(__name__)

CHANNELS = "/channels/"
REFUSAL = "simulator.refusal"
_RECORDS = "/communicationRecords"
_HANG_POLL_SECONDS = 0.05


class Simulator:
    """The application, for any WSGI server; WebSockets need `server.SocketHandler`."""

    def __init__(self, world: World) -> None:
        self.world = world

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("wsgi.websocket") is not None:
            self._serve_socket(environ)
            return []
        request = Request.of(environ)
        if request.path.startswith("/_sim"):
            return send(_control_answer(self.world, request), start_response)
        if request.path == "/" or request.path.startswith("/console/"):
            return send(console.answer(self.world, request), start_response)
        status = 0
        try:
            answer, trickle = self._answer(environ, request)
            status = answer.status
        finally:
            self.world.ledger.record_call(self.world.clock.wall(), request.method, request.path, status)
        body = send(answer, start_response, head=request.method == "HEAD")
        return body if trickle is None else _trickled(body, trickle.number("bytesPerSecond", 100))

    def refusal(self, environ: Environ) -> Answer | None:
        """The answer that rejects opening a WebSocket, or None to accept it. Called before the upgrade.

        Raises:
            ConnectionDropped: A fault hangs or resets the connection.
        """
        faults, path = self.world.faults, str(environ.get("PATH_INFO"))
        channel_id = path.removeprefix(CHANNELS)
        if fault := faults.trigger("refuse_upgrade", channel=channel_id):
            headers = {"Retry-After": str(fault.params["retryAfter"])} if "retryAfter" in fault.params else {}
            return Answer(status=int(fault.number("status", 503)), body={}, headers=headers)
        for name in ("hang", "reset"):
            if fault := faults.trigger(name, method="GET", path=path):
                self._hang_or_reset(fault)
        return Answer(status=404, body={}) if self.world.channels.find(channel_id) is None else None

    def _serve_socket(self, environ: Environ) -> None:
        channel = self.world.channels.find(str(environ["PATH_INFO"]).removeprefix(CHANNELS))
        if channel is not None:
            serve(self.world.channels, channel, environ["wsgi.websocket"], environ["simulator.socket"])

    def _answer(self, environ: Environ, request: Request) -> tuple[Answer, Fault | None]:
        """The answer, and the fault `slow_body` if it applies. Raises ConnectionDropped if a fault drops it."""
        if (refusal := environ.get(REFUSAL)) is not None:
            return refusal, None
        faults = self.world.faults
        subject = {"method": request.method, "path": request.path, "conversation": conversations_of(request)}
        for name in ("hang", "reset"):
            if fault := faults.trigger(name, **subject):
                self._hang_or_reset(fault)
        if fault := faults.trigger("answer", **subject):
            return _fault_answer(fault), None
        answer = distorted(self._route(request), faults, request)
        if faults.trigger("reply_lost", **subject):
            raise ConnectionDropped
        if fault := faults.trigger("slow", **subject):
            gevent.sleep(self.world.clock.wall_seconds(fault.number("delaySeconds", 1)))
        if fault := faults.trigger("garbage_answer", **subject):
            answer = Answer(body=str(fault.params.get("body", "<html>not what you expected")).encode())
        return answer, faults.trigger("slow_body", **subject)

    def _route(self, request: Request) -> Answer:
        if request.path == "/oauth/token":
            return rest.token_answer(self.world, request) if request.method == "POST" else Answer(status=405)
        if request.path.startswith("/api/v2/"):
            return rest.call(self.world, request)
        path = request.path.removeprefix("/history")
        if path.startswith(_RECORDS):
            return self._history(path, request)
        return Answer(status=404, body={"message": "nothing here"})

    def _history(self, path: str, request: Request) -> Answer:
        rest_of_path = path.removeprefix(_RECORDS).strip("/")
        if request.method == "POST" and not rest_of_path:
            return self.world.receiver.post(request)
        if request.method == "GET" and rest_of_path:
            return self.world.receiver.get(rest_of_path, request)
        return Answer(status=405, body={"message": "POST a record or GET one by its id"})

    def _hang_or_reset(self, fault: Fault) -> None:
        # A hanging call is dropped when its fault has ended, so that no greenlet waits for ever.
        world = self.world
        while fault.name == "hang" and any(other is fault for other in world.faults.active()):
            gevent.sleep(_HANG_POLL_SECONDS)
            world.faults.find("hang")  # removes expired faults
        raise ConnectionDropped


def _control_answer(world: World, request: Request) -> Answer:
    try:
        return control.call(world, request)
    except ControlError as error:
        return Answer(status=error.status, body={"error": error.message})


def _fault_answer(fault: Fault) -> Answer:
    params = fault.params
    headers = {str(name): str(value) for name, value in (params.get("headers") or {}).items()}
    if "retryAfter" in params:
        headers["Retry-After"] = str(params["retryAfter"])
    status = int(fault.number("status", 503))
    default = {"message": "simulated fault", "code": "simulated.fault", "status": status, "contextId": "simulated"}
    return Answer(status=status, body=params.get("body", default), headers=headers)


def _trickled(body: Iterable[bytes], bytes_per_second: float) -> Iterable[bytes]:
    for chunk in body:
        for byte in chunk:
            gevent.sleep(1 / bytes_per_second)
            yield bytes((byte,))
