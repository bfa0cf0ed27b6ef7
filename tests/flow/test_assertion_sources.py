"""A gateway gets each new token without a person, from any source of assertions, and warns before it can't."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import gevent
import pytest
from gevent import socket
from gevent.pool import Pool
from gevent.server import StreamServer

from genesys_gateway.genesys.assertions.signed import SignedAssertions
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.settings import Settings
from tests.doubles.genesys import answer, request_of
from tests.doubles.identity_provider import AUDIENCE, ISSUER, pair, signing
from tests.flow.calls import Call
from tests.flow.gateways import launch_gateway
from tests.harness.gateway import Gateway
from tests.harness.simulator import Simulator
from tests.harness.waiting import until

#: Lifetime of a token; it is renewed when a tenth of it is left.
LIFE_SECONDS = 4
BASIS = {
    "GENESYS_ENVIRONMENT": "genesys.test",
    "GENESYS_CLIENT_ID": "simulator-client",
    "GENESYS_CLIENT_SECRET": "simulator-secret",
    "COMMUNICATION_HISTORY_URL": "https://history.test",
    "GATEWAY_TOKENS": "bofe:long-enough-to-be-a-token",
}
SAML = {"GENESYS_GRANT_TYPE": "saml2-bearer", "GENESYS_ORG_NAME": "simulator-org"}


class IdentityProvider:
    """An identity provider with a key that the gateway lacks: it serves assertions or writes them to a file."""

    def __init__(self, folder: Path) -> None:
        self._source = SignedAssertions(Settings.from_environment(BASIS | signing(folder)), SystemClock())
        self.served = 0
        self._server = StreamServer(("127.0.0.1", 0), self._serve, spawn=Pool())
        self._server.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/assertions?for=genesys"

    def write(self, file: Path) -> None:
        new = file.with_suffix(".new")
        new.write_text(self._source.take())
        os.replace(new, file)

    def close(self) -> None:
        self._server.stop(timeout=0)

    def _serve(self, connection: socket.socket, _address: object) -> None:
        with connection:
            asked = request_of(connection)
            if (
                b"Authorization: Bearer canary-idp-token\r\n" not in asked
                or b"GET /assertions?for=genesys " not in asked
            ):
                connection.sendall(answer(b"", "403 Forbidden"))
                return
            self.served += 1
            connection.sendall(answer(self._source.take().encode(), "200 OK", "Connection: close"))


class Scene:
    """A Genesys that accepts one certificate and grants tokens for a few seconds."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.simulator = Simulator(folder, {"tokenSeconds": LIFE_SECONDS})
        stack.callback(self.simulator.stop)
        believed = {"samlCertificate": pair()[1].decode(), "samlAudience": AUDIENCE, "samlIssuer": ISSUER}
        self.simulator.control("PATCH", "/settings", believed)

    def provider(self) -> IdentityProvider:
        made = IdentityProvider(self.folder)
        self._stack.callback(made.close)
        return made

    def gateway(self, **environ: str) -> Gateway:
        running = launch_gateway(self.folder, self.simulator.url, **SAML | environ, GATEWAY_LEASE_SECONDS="10")
        self._stack.callback(running.stop)
        running.until_ready()
        return running

    def tokens(self) -> list[int]:
        """The status of each answer of the login host."""
        calls = self.simulator.control("GET", "/ledger?part=calls")["calls"]
        return [call["status"] for call in calls if call["path"] == "/oauth/token"]

    def lasts(self, gateway: Gateway) -> None:
        """Assert that after three tokens the gateway still receives and delivers, and that each token was granted."""
        call = Call(self.simulator, gateway).register().until("subscribed", 20)
        until(lambda: len(self.tokens()) >= 3, 4 * LIFE_SECONDS)
        call.until("subscribed", 20).act("wrapup").until_delivered(20)
        assert set(self.tokens()) == {200}
        assert gateway.metric("assertion_stale") == 0


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(tmp_path, stack)


def test_assertions_of_our_own_last(scene: Scene) -> None:
    scene.lasts(scene.gateway(**signing(scene.folder)))


def test_assertions_from_an_address_last(scene: Scene) -> None:
    provider = scene.provider()
    gateway = scene.gateway(
        GENESYS_SAML_ASSERTION_URL=provider.url, GENESYS_SAML_ASSERTION_URL_TOKEN="canary-idp-token"
    )

    scene.lasts(gateway)

    assert provider.served == len(scene.tokens())
    assert "canary-idp-token" not in str(gateway.log())


def test_assertions_from_a_file_last_as_long_as_somebody_keeps_it_fresh_and_then_there_is_an_alarm(
    scene: Scene,
) -> None:
    provider, file = scene.provider(), scene.folder / "assertion"
    provider.write(file)
    writer = gevent.spawn(every_half_second, lambda: provider.write(file))
    try:
        gateway = scene.gateway(GENESYS_SAML_ASSERTION_FILE=str(file))
        scene.lasts(gateway)
    finally:
        writer.kill()

    # Otherwise the last assertion gives token after token, and the alarm ends with each.
    scene.simulator.control("PATCH", "/settings", {"refuseReplays": True})
    until(lambda: gateway.metric("assertion_stale") == 1, 5 * LIFE_SECONDS)
    # A thread writes the log, so the line may come a moment after the gauge.
    until(lambda: any(line["event"] == "assertion_stale" for line in gateway.log()))
    (told, *_) = [line for line in gateway.log() if line["event"] == "assertion_stale"]
    assert "replace GENESYS_SAML_ASSERTION_FILE" in told["trouble"]
    provider.write(file)
    until(lambda: gateway.metric("assertion_stale") == 0, 3 * LIFE_SECONDS)


def test_an_assertion_refused_after_a_kill_is_not_sent_a_third_time_and_a_fresh_one_is_taken_up(scene: Scene) -> None:
    scene.simulator.control("PATCH", "/settings", {"tokenSeconds": 3600, "refuseReplays": True})
    provider, file = scene.provider(), scene.folder / "assertion"
    provider.write(file)
    first = scene.gateway(GENESYS_SAML_ASSERTION_FILE=str(file))
    Call(scene.simulator, first).register().until("subscribed", 20)
    first.kill()

    after = scene.gateway(GENESYS_SAML_ASSERTION_FILE=str(file))

    call = Call(scene.simulator, after).register()
    until(lambda: after.metric("assertion_stale") == 1, 10)
    until(lambda: len([line for line in after.log() if line["event"] == "token_missing"]) >= 2, 10)
    told = [line["error"] for line in after.log() if line["event"] == "token_missing"]
    assert "invalid_grant (the assertion was used before)" in told[0]
    assert told[1] == "Genesys refused the assertion: replace GENESYS_SAML_ASSERTION_FILE by a fresh one"
    assert call.view()["state"] == "pending"
    assert scene.tokens() == [200, 400]
    provider.write(file)
    call.until("subscribed", 20).act("wrapup").until_delivered(20)
    assert scene.tokens() == [200, 400, 200]


def test_an_assertion_that_gave_a_token_before_a_kill_gives_another_one_after_it(scene: Scene) -> None:
    provider, file = scene.provider(), scene.folder / "assertion"
    provider.write(file)
    first = scene.gateway(GENESYS_SAML_ASSERTION_FILE=str(file))
    Call(scene.simulator, first).register().until("subscribed", 20)
    first.kill()

    scene.lasts(scene.gateway(GENESYS_SAML_ASSERTION_FILE=str(file)))


def every_half_second(job: Callable[[], object]) -> None:
    while True:
        gevent.sleep(0.5)
        job()


def test_an_address_that_refuses_is_named_with_what_to_do(scene: Scene) -> None:
    provider = scene.provider()
    gateway = scene.gateway(GENESYS_SAML_ASSERTION_URL=provider.url)

    Call(scene.simulator, gateway).register()

    until(lambda: [line for line in gateway.log() if line["event"] == "token_missing"], 10)
    (told, *_) = [line for line in gateway.log() if line["event"] == "token_missing"]
    assert told["error"] == "GENESYS_SAML_ASSERTION_URL answers 403; check GENESYS_SAML_ASSERTION_URL_TOKEN"
    assert scene.tokens() == []
