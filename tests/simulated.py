"""A small client of a running simulator, over real HTTP and WebSockets; the fixture `sim` gives one."""

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
#: long enough for a busy machine, short enough to notice what never comes
PATIENCE_SECONDS = 5.0
SILENCE_SECONDS = 0.15


class Socket:
    """A plain WebSocket client that speaks JSON."""

    def __init__(self, uri: str) -> None:
        self._socket = websocket.create_connection(uri, timeout=PATIENCE_SECONDS, skip_utf8_validation=True)

    def send(self, message: object) -> None:
        self._socket.send(message if isinstance(message, str) else json.dumps(message))

    def receive(self) -> Any:
        """The next message. Raises when none comes in time or the socket is gone."""
        return json.loads(self.receive_raw())

    def receive_raw(self) -> bytes:
        code, frame = self._socket.recv_data_frame(True)
        if code == websocket.ABNF.OPCODE_CLOSE:
            raise websocket.WebSocketConnectionClosedException(frame.data[2:].decode())
        return bytes(frame.data)

    def event(self) -> Any:
        """The body of the next event; heartbeats are passed over."""
        while (message := self.receive()).get("topicName") == "channel.metadata":
            pass
        return message["eventBody"]

    def hears_nothing(self, seconds: float = SILENCE_SECONDS) -> bool:
        self._socket.settimeout(seconds)
        try:
            self.receive()
        except websocket.WebSocketTimeoutException:
            return True
        finally:
            self._socket.settimeout(PATIENCE_SECONDS)
        return False

    def how_it_ends(self) -> str:
        """Read until the other side ends it: the reason it gives, `reset`, or `lost`."""
        try:
            while True:
                self.receive_raw()
        except websocket.WebSocketConnectionClosedException as error:
            return "lost" if "lost" in str(error) else str(error)
        except ConnectionResetError:
            return "reset"

    def ask(self, message: object) -> Any:
        self.send(message)
        return self.receive()

    def hang_up(self) -> None:
        """End it without a goodbye."""
        self._socket.shutdown()  # type: ignore[no-untyped-call]  # it has no types

    def close(self) -> None:
        with suppress(OSError, websocket.WebSocketException):
            self._socket.close(timeout=1)
        self._socket.shutdown()  # type: ignore[no-untyped-call]  # a reset connection is not closed by close()


class Simulated:
    """One simulator with a client that is logged in when it has to be."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.url = service.url
        self._session = requests.Session()
        self._session.trust_env = False
        self._sockets: list[Socket] = []
        self._token: str | None = None
        self._assertions = 0

    def reset(self) -> None:
        for opened in self._sockets:
            opened.close()
        self._sockets.clear()
        self._token = None
        self.sim("POST", "reset")

    def close(self) -> None:
        self.reset()
        self._session.close()

    def http(self, method: str, path: str, **options: Any) -> requests.Response:
        options.setdefault("timeout", PATIENCE_SECONDS)
        return self._session.request(method, path if "://" in path else self.url + path, **options)

    def sim(self, method: str, path: str, body: object = None) -> Any:
        """The control API; a refusal is an error of the test."""
        reply = self.http(method, f"/_sim/{path}", json=body)
        reply.raise_for_status()
        return reply.json()

    def grant(self, auth: tuple[str, str] | None = CLIENT, **form: str) -> requests.Response:
        return self.login(form or {"grant_type": "client_credentials"}, auth)

    def login(self, form: dict[str, str], auth: tuple[str, str] | None = CLIENT) -> requests.Response:
        return self.http("POST", "/oauth/token", auth=auth, data=form)

    def saml_grant(self, **changes: str) -> requests.Response:
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

    def call(self, **told: Any) -> dict[str, Any]:
        """A conversation with an agent on the line."""
        started: dict[str, Any] = self.sim("POST", "conversations", told)
        return started

    def play(self, conversation: dict[str, Any], play: str, **told: Any) -> Any:
        return self.sim("POST", f"conversations/{conversation['conversationId']}/{play}", told)

    def listening(self, *conversations: dict[str, Any]) -> tuple[dict[str, str], Socket]:
        """A channel subscribed to those conversations, and its open socket."""
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
        """A bare connection on which that HTTP request head was sent."""
        host, port = self.url.removeprefix("http://").split(":")
        connection = sockets.create_connection((host, int(port)), timeout=PATIENCE_SECONDS)
        connection.sendall(head.replace("\n", "\r\n").encode())
        return connection


def acw_topic(conversation: dict[str, Any]) -> str:
    return f"v2.detail.events.conversation.{conversation['conversationId']}.acw"
