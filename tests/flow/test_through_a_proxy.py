"""REST and WebSocket through an HTTP proxy, over TLS with certificates of a private authority.

This machine can resolve none of the host names, so everything that arrives has come through the proxy.
"""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest

from genesys_gateway.simulator.demo.clients import ContactCentre, Gateway, Http
from genesys_gateway.simulator.demo.deployment import Deployment
from genesys_gateway.simulator.demo.result import problems
from genesys_gateway.simulator.demo.runner import ScenarioRunner
from genesys_gateway.simulator.demo.screen import Screen
from tests.flow.calls import Call
from tests.flow.gateways import launch_gateway
from tests.harness.gateway import BOFE_TOKEN
from tests.harness.gateway import Gateway as GatewayProcess
from tests.harness.processes import ROOT
from tests.harness.simulator import Simulator
from tests.harness.tls_front import Authority, ConnectProxy, tls_front
from tests.harness.waiting import until

REGION = "genesys.test"
HISTORY = "history.bank.test"
GENESYS = tuple(f"{side}.{REGION}" for side in ("login", "api", "streaming"))


class Bank:
    """A network in which only the proxy reaches other hosts."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.simulator = Simulator(folder, {"streamingUrl": f"wss://streaming.{REGION}"})
        stack.callback(self.simulator.stop)
        self.authority = Authority(folder)
        port = self.front(self.authority, *GENESYS, HISTORY, "127.0.0.1")
        self.port = port
        self.routes = {(host, 443): port for host in (*GENESYS, HISTORY)}
        self.proxy = ConnectProxy(self.routes, login="canary-proxy-user:canary-proxy-word")
        stack.enter_context(self.proxy.running())

    def front(self, authority: Authority, *hosts: str) -> int:
        """Open a port that serves these hosts over TLS."""
        return self._stack.enter_context(tls_front(self.simulator.port, authority.context(*hosts)))

    def environ(self, **changes: str) -> dict[str, str]:
        told = {
            "GENESYS_ENVIRONMENT": REGION,
            "GENESYS_LOGIN_URL": "",
            "GENESYS_API_URL": "",
            "GENESYS_STREAMING_HOSTS": "",
            "COMMUNICATION_HISTORY_URL": f"https://{HISTORY}/history",
            "GATEWAY_HTTPS_PROXY": self.proxy.url,
            "GATEWAY_CA_BUNDLE": str(self.authority.file),
            # Variables that most tools obey must not lead the gateway elsewhere.
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "*",
            "REQUESTS_CA_BUNDLE": "/nonexistent",
        }
        return told | changes

    def gateway(self, **changes: str) -> GatewayProcess:
        running = launch_gateway(self.folder, self.simulator.url, **self.environ(**changes))
        self._stack.callback(running.stop)
        running.until_ready()
        return running

    def check(self) -> "subprocess.CompletedProcess[str]":
        """Run `check --write-probe` in the environment of the gateway."""
        environ = {"PATH": os.environ["PATH"], "GATEWAY_TOKENS": "bofe:long-enough-to-be-a-token"}
        environ |= {"GENESYS_GRANT_TYPE": "client-credentials", "DATABASE_URL": f"sqlite:///{self.folder}/gateway.db"}
        environ |= {"GENESYS_CLIENT_ID": "simulator-client", "GENESYS_CLIENT_SECRET": "simulator-secret"}
        command = [sys.executable, "-m", "genesys_gateway", "check", "--write-probe"]
        return subprocess.run(
            command, cwd=ROOT, env=environ | self.environ(), capture_output=True, text=True, timeout=60
        )


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    with ExitStack() as stack:
        yield Bank(tmp_path, stack)


def said(gateway: GatewayProcess, event: str, words: str) -> bool:
    return any(line["event"] == event and words in str(line) for line in gateway.log())


def balance(simulator: Simulator) -> Any:
    return simulator.control("GET", "/balance")


def test_whole_conversations_of_all_kinds_pass_through(bank: Bank) -> None:
    gateway = bank.gateway()
    kinds = ("VOICE", "EMAIL", "CHAT", "MESSAGE", "CALLBACK")

    calls = [Call(bank.simulator, gateway, mediaType=kind).listened_to() for kind in kinds]
    for call in calls:
        call.act("end").act("wrapup", notes="through the tunnel").until_delivered()

    assert [record["body"]["eventSource"] for call in calls for record in call.records()] == ["live"] * len(kinds)
    assert balance(bank.simulator)["clean"]
    assert {host for host, _ in bank.proxy.asked} == {*GENESYS, HISTORY}
    assert "canary-proxy" not in str(gateway.log())


def test_the_demo_passes_through_as_well(bank: Bank) -> None:
    # The first question may come before the demo has ended a conversation; then a second question is needed.
    gateway = bank.gateway(GATEWAY_RECONCILE_SECONDS="1")
    contact_centre = ContactCentre(Http(bank.simulator.url))
    clients = {"gateway": Gateway(Http(gateway.url, BOFE_TOKEN)), "contact_centre": contact_centre}
    deployment = cast(Deployment, SimpleNamespace(**clients, pause=gevent.sleep))
    runner = ScenarioRunner(deployment=deployment, screen=Screen.on(io.StringIO(), {}))

    runner.run_all()
    outcomes = runner.wait_until_closed()

    records = [stored["record"] for stored in contact_centre.records()]
    assert len(records) == len(runner.announced) > 5
    assert problems(runner.announced, records, outcomes) == ()


def test_the_check_passes_through_too(bank: Bank) -> None:
    bank.gateway()

    done = bank.check()

    assert done.returncode == 0, done.stdout + done.stderr
    assert "canary-proxy" not in done.stdout + done.stderr


def test_a_host_without_the_proxy_is_reached_directly(bank: Bank) -> None:
    direct = f"https://127.0.0.1:{bank.port}/history"
    gateway = bank.gateway(COMMUNICATION_HISTORY_URL=direct, GATEWAY_NO_PROXY="127.0.0.0/8")

    Call(bank.simulator, gateway).register().until("subscribed").act("wrapup").until_delivered()

    assert {host for host, _ in bank.proxy.asked} == set(GENESYS)


def test_without_that_exception_it_would_go_through_the_proxy(bank: Bank) -> None:
    gateway = bank.gateway(COMMUNICATION_HISTORY_URL=f"https://127.0.0.1:{bank.port}/history")

    Call(bank.simulator, gateway).register().until("subscribed").act("wrapup")

    until(lambda: ("127.0.0.1", bank.port) in bank.proxy.asked, 15)
    until(lambda: said(gateway, "attempt_failed", "proxy: OSError: answered 403"), 15)


def test_an_authority_nobody_named_is_not_trusted_anywhere(bank: Bank) -> None:
    gateway = bank.gateway(GATEWAY_CA_BUNDLE=str(Authority(bank.folder, "other").file))

    call = Call(bank.simulator, gateway).register()

    until(lambda: said(gateway, "token_missing", "SSLCertVerificationError"), 15)
    assert call.view()["state"] == "pending"
    assert bank.simulator.control("GET", "/ledger?part=calls")["calls"] == []


def test_a_websocket_is_trusted_no_more_easily_than_a_call_and_what_it_can_not_bring_comes_over_rest(
    bank: Bank,
) -> None:
    other = bank.front(Authority(bank.folder, "other"), f"streaming.{REGION}")
    bank.routes[f"streaming.{REGION}", 443] = other
    gateway = bank.gateway(GATEWAY_RECONCILE_SECONDS="0.5", GATEWAY_ANALYTICS_SETTLE_SECONDS="2")

    call = Call(bank.simulator, gateway).register()
    until(lambda: said(gateway, "socket_lost", "SSLCertVerificationError"), 15)
    call.act("wrapup").act("end").until_delivered(40)

    assert call.records()[0]["body"]["eventSource"] == "backfill"
    assert bank.simulator.control("GET", "/state")["sockets"] == 0


def test_a_proxy_that_wants_another_password_is_named(bank: Bank) -> None:
    wrong = bank.proxy.url.replace("canary-proxy-word", "wrong")
    gateway = bank.gateway(GATEWAY_HTTPS_PROXY=wrong)

    Call(bank.simulator, gateway).register()

    until(lambda: said(gateway, "token_missing", "proxy: OSError: answered 407"), 15)


def test_hosts_that_may_go_without_tls_are_warned_about_one_by_one(bank: Bank) -> None:
    gateway = bank.gateway(GATEWAY_PLAIN_HTTP_HOSTS="history.bank.test, 10.0.0.7")

    warned = [line["warning"] for line in gateway.log() if line["event"] == "setting_to_look_at"]
    assert warned == [
        "GATEWAY_PLAIN_HTTP_HOSTS lets 10.0.0.7 be spoken to without TLS",
        "GATEWAY_PLAIN_HTTP_HOSTS lets history.bank.test be spoken to without TLS",
    ]
