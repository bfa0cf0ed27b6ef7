"""Secrets, personal data and line breaks are planted everywhere; none appears in a log, a metric or an answer."""

import ast
import http.client
import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.flow.calls import Call
from tests.flow.gateways import launch_gateway
from tests.harness.gateway import BACKOFFICE_TOKEN, BOFE_TOKEN, OPS_TOKEN
from tests.harness.processes import ROOT
from tests.harness.simulator import Simulator
from tests.harness.waiting import until

#: Ends a line of the log and begins a forged one.
BREAKS = 'broken\r\n{"level": "critical", "event": "forged"}\n\x00\x1b[2J\u2028'


class Scene:
    """A gateway with secrets, at a Genesys full of personal data."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.simulator = Simulator(folder)
        stack.callback(self.simulator.stop)
        client = {"id": "bank", "secret": "canary-client-secret", "grant": "client-credentials"}
        self.simulator.control("POST", "/clients", client)
        self.receive("ok")
        self.gateway = launch_gateway(
            folder,
            self.simulator.url,
            GENESYS_CLIENT_ID="bank",
            GENESYS_CLIENT_SECRET="canary-client-secret",
            COMMUNICATION_HISTORY_TOKEN="canary-history-token",
            GATEWAY_LOG_LEVEL="debug",
            GATEWAY_RETRY_BASE_SECONDS="0.1",
            GATEWAY_RETRY_MAX_SECONDS="0.2",
            GATEWAY_LEASE_SECONDS="10",
        )
        stack.callback(self.gateway.stop)
        self.gateway.until_ready()

    def receive(self, mode: str, **how: Any) -> None:
        self.simulator.control("POST", "/history/mode", {"mode": mode, "token": "canary-history-token"} | how)

    def fault(self, **how: Any) -> None:
        self.simulator.control("POST", "/faults", how)

    def call(self, number: int) -> Call:
        """Register a conversation full of personal data."""
        agent = {"userId": f"8ce2f903-78e6-4b50-b7aa-e1aa7e7c{number:04}", "name": f"canary-agent-{number} {BREAKS}"}
        told = {"ani": "tel:+63917canary", "dnis": "canary-dnis", "addressFrom": "canary-address", "agent": agent}
        return Call(self.simulator, self.gateway, subject=f"canary-subject {BREAKS}", **told).register()

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> bytes:
        """Send a request; returns the whole answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=10)
        with closing(connection), suppress(http.client.HTTPException, ConnectionError):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return str(answer.getheaders()).encode() + answer.read()
        return b""

    def cut(self, sent: bytes) -> bytes:
        """Send a part of a request and close; returns the answer."""
        with socket.create_connection(("127.0.0.1", self.gateway.port), timeout=10) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def series(self) -> set[str]:
        """Each metric with its labels."""
        shown = self.ask("GET", "/metrics").decode()
        return set(re.findall(r"(genesys_gateway_\w+(?:{[^}]*})?) ", shown))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(tmp_path, stack)


def callers(scene: Scene) -> list[bytes]:
    """Send what attackers and careless callers send; returns all answers."""
    token = {"Authorization": f"Bearer {BOFE_TOKEN}", "Content-Type": "application/json"}
    pair = {"customerId": "canary-customer", "interactionId": BREAKS, "note": "canary-note"}
    address = "/customers/supportInteraction"
    strange = {"Authorization": "Bearer canary-bearer", "Cookie": "canary-cookie", "Referer": "canary-referer"}
    head = f"POST {address}?token=canary-query HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n".encode()
    known = b"Authorization: Bearer %s\r\n" % BOFE_TOKEN.encode()
    return [
        scene.ask("POST", address, token, json.dumps(pair).encode()),
        scene.ask("POST", address, token, b"canary-body"),
        scene.ask("POST", f"{address}?token=canary-query", token, b"{}"),
        scene.ask("GET", f"{address}/{quote(BREAKS)}", token),
        scene.ask("GET", f"{address}/some-id", token),
        scene.ask("GET", "/nowhere?access_token=canary-query", {"User-Agent": "canary-agent"}),
        scene.ask("GET", "/livez", strange),
        scene.ask("POST", address, strange, b"{}"),
        scene.ask("TEA", "/livez"),
        *[scene.cut(head[:length]) for length in (40, 60, len(head))],
        scene.cut(head + known),
        scene.cut(head + known + b"X-Odd: it's canary-header"),
        scene.cut(head + known + b"Authorization canary-header\r\n\r\n"),
        scene.cut(head + known + b"Content-Length: 100\r\n\r\ncanary-body"),
        scene.cut(head + known + b"Transfer-Encoding: chunked\r\n\r\nff\r\ncanary-body"),
        scene.cut(head + known + b"Transfer-Encoding: chunked\r\n\r\ncanary-size\r\n"),
        scene.cut(head + b"Transfer-Encoding: chunked\r\n\r\n5;canary-extension"),
        scene.cut(head + known + b"Transfer-Encoding: chunked\r\n\r\n0\r\ncanary-trailer\r\n\r\n"),
    ]


def genesys(scene: Scene, number: int) -> None:
    """Have Genesys and the receiver send answers and frames, right ones and wrong ones."""
    text = {"message": f"canary-message {BREAKS}", "code": "canary code", "errors": ["canary-error"]}
    call = scene.call(number).until("subscribed", 20)
    for path, status in (("/api/v2/users/*", 500), ("/api/v2/routing/*", 400), ("/api/v2/conversations/*", 418)):
        scene.fault(name="answer", path=path, status=status, body=text, count=1)
    scene.fault(name="garbage_answer", path="/api/v2/analytics/*", body="canary-garbage", count=1)
    topic = f"v2.detail.events.conversation.{call.id}.acw"
    for body in (
        {"mediaType": "CANARY_MEDIA", "ani": 7},
        {"conversationId": "canary-conversation"},
        "canary-body",
        None,
    ):
        frame = {"topicName": topic, "eventBody": body, "metadata": {"CorrelationId": "canary-correlation"}}
        scene.simulator.control("POST", "/channels/all/send", {"json": frame})
    scene.simulator.control("POST", "/channels/all/send", {"json": {"topicName": f"canary.{number}", "eventBody": {}}})
    notice = {"topicName": "v2.system.maintenance.canary-channel", "eventBody": {"message": "canary-notice"}}
    scene.simulator.control("POST", "/channels/all/send", {"json": notice})
    scene.receive("500", count=1)
    call.act("wrapup", notes=f"canary-notes {BREAKS}").act("end")
    # Some of the frames above are complete enough to become records.
    until(lambda: {one["state"] for one in call.view()["records"]} == {"delivered"}, 30)


def test_nothing_that_was_planted_comes_out(scene: Scene) -> None:
    answers = callers(scene)
    genesys(scene, 1)
    answers.append(scene.ask("GET", "/metrics"))

    # Of a request only the path is logged, because it shows what was tried.
    lines = scene.gateway.log()
    told = json.dumps(lines)
    assert [line for line in lines if line["event"] == "request"]
    assert "canary" not in told.lower()
    assert not [line for line in lines if line["event"] == "forged"]
    assert not [answer for answer in answers if b"canary" in answer.lower()]
    for token in (BOFE_TOKEN, OPS_TOKEN, BACKOFFICE_TOKEN):
        assert token not in told


def words_of_the_code() -> set[str]:
    """Every string constant of the gateway's code, also as a route below that of operators."""
    trees = [ast.parse(path.read_text()) for path in (ROOT / "genesys_gateway").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    words = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return words | {f"/ops{word}" for word in words if word.startswith("/")}


def test_every_label_is_a_word_of_our_own_whatever_others_send(scene: Scene) -> None:
    before = scene.series()
    for number in range(1, 4):
        callers(scene)
        genesys(scene, number)
    until(lambda: scene.gateway.metric("deliveries_ambiguous_total") >= 3, 20)

    series = scene.series()

    labels = {label for name in series for label in re.findall(r'(\w+)="([^"]*)"', name)}
    foreign = {value for name, value in labels if name != "le"} - words_of_the_code()
    assert foreign == set()
    assert {"operation", "outcome", "reason", "source", "state"} <= {name for name, _ in labels}
    assert series == before, "a series is there from the start, and none comes later"
