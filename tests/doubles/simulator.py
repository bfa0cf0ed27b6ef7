"""A small client of a running simulator, over real HTTP and WebSockets; the fixture `sim` provides one."""

from __future__ import annotations

import base64
import json
import socket as sockets
from contextlib import suppress
from typing import Any

import requests
import websocket

from genesys_gateway.simulator.server import Service

SAML = "urn:ietf:params:oauth:grant-type:saml2-bearer"
CLIENT = ("simulator-client", "simulator-secret")
#: How long to wait for an answer or a frame: enough for a busy machine, short enough for a test that fails.
TIMEOUT_SECONDS = 5.0
#: How long to wait before concluding that no frame arrives.
SILENCE_SECONDS = 0.15


class Socket:
    """A plain WebSocket client that sends and receives JSON."""

    def __init__(self, uri: str) -> None:
        self._socket = websocket.create_connection(uri, timeout=TIMEOUT_SECONDS, skip_utf8_validation=True)

    def send(self, message: object) -> None:
        self._socket.send(message if isinstance(message, str) else json.dumps(message))

    def receive(self) -> Any:
        """Return the next message. Raises if none arrives in time or the connection has ended."""
        return json.loads(self.receive_raw())

    def receive_raw(self) -> bytes:
        """Return the payload of the next frame. A close frame raises, with the reason that it gives."""
        code, frame = self._socket.recv_data_frame(True)
        if code == websocket.ABNF.OPCODE_CLOSE:
            raise websocket.WebSocketConnectionClosedException(frame.data[2:].decode())
        return bytes(frame.data)

    def event(self) -> Any:
        """Return the body of the next event; heartbeats are skipped."""
        while (message := self.receive()).get("topicName") == "channel.metadata":
            pass
        return message["eventBody"]

    def receives_nothing(self, seconds: float = SILENCE_SECONDS) -> bool:
        """Whether no message arrives within that time."""
        self._socket.settimeout(seconds)
        try:
            self.receive()
        except websocket.WebSocketTimeoutException:
            return True
        finally:
            self._socket.settimeout(TIMEOUT_SECONDS)
        return False

    def end_reason(self) -> str:
        """Read until the server ends the connection; return its reason, `reset`, or `lost`."""
        try:
            while True:
                self.receive_raw()
        except websocket.WebSocketConnectionClosedException as error:
            return "lost" if "lost" in str(error) else str(error)
        except ConnectionResetError:
            return "reset"

    def request(self, message: object) -> Any:
        """Send a message and return the next one."""
        self.send(message)
        return self.receive()

    def disconnect(self) -> None:
        """End the connection without a close frame."""
        self._socket.shutdown()

    def close(self) -> None:
        with suppress(OSError, websocket.WebSocketException):
            self._socket.close(timeout=1)
        self.disconnect()  # close() does not close a connection that was reset


class Simulated:
    """One simulator and a client of it, which logs in when it first needs a token."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.url = service.url
        self._session = requests.Session()
        self._session.trust_env = False
        self._sockets: list[Socket] = []
        self._token: str | None = None
        self._assertions = 0

    def reset(self) -> None:
        """Close the client's sockets and return the simulator to its initial state."""
        for opened in self._sockets:
            opened.close()
        self._sockets.clear()
        self._token = None
        self.sim("POST", "reset")

    def close(self) -> None:
        self.reset()
        self._session.close()

    def http(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send one request to a path of the simulator, or to a full URL."""
        options.setdefault("timeout", TIMEOUT_SECONDS)
        return self._session.request(method, path if "://" in path else self.url + path, **options)

    def sim(self, method: str, path: str, body: object = None) -> Any:
        """Make one call of the control API. Raises if the answer is an error."""
        reply = self.http(method, f"/_sim/{path}", json=body)
        reply.raise_for_status()
        return reply.json()

    def grant(self, auth: tuple[str, str] | None = CLIENT, **form: str) -> requests.Response:
        """Request a token: with the given form, or with client credentials."""
        return self.login(form or {"grant_type": "client_credentials"}, auth)

    def login(self, form: dict[str, str], auth: tuple[str, str] | None = CLIENT) -> requests.Response:
        return self.http("POST", "/oauth/token", auth=auth, data=form)

    def saml_grant(self, **changes: str) -> requests.Response:
        """Request a token with a new unsigned assertion. `changes` override fields of the form."""
        self._assertions += 1
        assertion = base64.b64encode(b"<x>%d</x>" % self._assertions).decode()
        return self.login({"grant_type": SAML, "orgName": "simulator-org", "assertion": assertion, **changes})

    def new_token(self, auth: tuple[str, str] = CLIENT) -> str:
        return str(self.grant(auth).json()["access_token"])

    @property
    def token(self) -> str:
        self._token = self._token or self.new_token()
        return self._token

    def api(self, method: str, path: str, *, token: str | None = None, **options: Any) -> requests.Response:
        """Make one call of the Genesys API, with the client's own token unless another is given."""
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return self.http(method, f"/api/v2/{path}", headers=headers, **options)

    def channel(self, token: str | None = None) -> dict[str, str]:
        channel: dict[str, str] = self.api("POST", "notifications/channels", token=token).json()
        return channel

    def subscriptions(
        self, method: str, channel: dict[str, str], *topics: str, token: str | None = None, ignore: bool = False
    ) -> requests.Response:
        path = f"notifications/channels/{channel['id']}/subscriptions{'?ignoreErrors=true' if ignore else ''}"
        body = [{"id": topic} for topic in topics]
        return self.api(method, path, token=token, json=body if method in ("POST", "PUT") else None)

    def topics(self, channel: dict[str, str], token: str | None = None) -> set[str]:
        return {entity["id"] for entity in self.subscriptions("GET", channel, token=token).json()["entities"]}

    def socket(self, channel: dict[str, str]) -> Socket:
        opened = Socket(channel["connectUri"])
        self._sockets.append(opened)
        return opened

    def call(self, **fields: Any) -> dict[str, Any]:
        """Start a conversation, with an agent already on the line."""
        started: dict[str, Any] = self.sim("POST", "conversations", fields)
        return started

    def play(self, conversation: dict[str, Any], action: str, **fields: Any) -> Any:
        """Carry out one action of an agent or customer in a conversation."""
        return self.sim("POST", f"conversations/{conversation['conversationId']}/{action}", fields)

    def listening(self, *conversations: dict[str, Any]) -> tuple[dict[str, str], Socket]:
        """Create a channel subscribed to the conversations, and open its socket."""
        channel = self.channel()
        self.subscriptions("POST", channel, *(acw_topic(conversation) for conversation in conversations))
        return channel, self.socket(channel)

    def rest_of(self, conversation: dict[str, Any]) -> Any:
        return self.api("GET", f"conversations/{conversation['conversationId']}").json()

    def agents_of(self, conversation: dict[str, Any]) -> list[Any]:
        return [p for p in self.rest_of(conversation)["participants"] if p["purpose"] == "agent"]

    def analytics_of(self, conversation: dict[str, Any]) -> Any:
        return self.api("GET", f"analytics/conversations/{conversation['conversationId']}/details")

    def raw(self, head: str) -> sockets.socket:
        """Open a bare connection and send the head of an HTTP request on it."""
        host, port = self.url.removeprefix("http://").split(":")
        connection = sockets.create_connection((host, int(port)), timeout=TIMEOUT_SECONDS)
        connection.sendall(head.replace("\n", "\r\n").encode())
        return connection


def acw_topic(conversation: dict[str, Any]) -> str:
    return f"v2.detail.events.conversation.{conversation['conversationId']}.acw"
