"""The simulator's traffic: its control API, what it tells a URL, its part of the ledger, and the command `bofe`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import gevent
import pytest
from gevent.pywsgi import WSGIServer

from genesys_gateway.simulator import main
from genesys_gateway.simulator.bofe import Bofe
from tests.doubles.simulator import Simulated, acw_topic

pytest_plugins = ("simulator_fixture",)

#: Short enough to be over soon, long enough to be seen.
SHORT = {"perMinute": 600, "seconds": 1, "talkSeconds": 0.5, "spread": 0, "acwSeconds": 0.2}


class Listener:
    """A small server that keeps what it is posted, and answers with the next of its statuses, the last one for ever."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.posts: list[dict[str, Any]] = []
        self.authorizations: set[str] = set()
        self.paths: set[str] = set()
        self._server = WSGIServer(("127.0.0.1", 0), self._answer, log=None)
        self._server.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.stop(timeout=0.1)

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        self.posts.append(json.loads(environ["wsgi.input"].read()))
        self.authorizations.add(environ.get("HTTP_AUTHORIZATION", ""))
        self.paths.add(environ["PATH_INFO"])
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        start_response(f"{status} Whatever", [("Content-Type", "application/json")])
        return [b'{"status": %d}' % status]


@pytest.fixture
def listener() -> Iterator[Listener]:
    opened = Listener(201)
    yield opened
    opened.close()


def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    with gevent.Timeout(seconds):
        while not holds():
            gevent.sleep(0.02)


def traffic(sim: Simulated) -> dict[str, Any]:
    found: dict[str, Any] = sim.sim("GET", "traffic")
    return found


def ledger(sim: Simulated) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sim.sim("GET", "ledger?part=conversations")["conversations"]
    return found


def play_to_the_end(sim: Simulated, **parameters: Any) -> dict[str, Any]:
    sim.sim("POST", "traffic", {**SHORT, **parameters})

    def over() -> bool:
        found = traffic(sim)
        return not (found["playing"] or found["goingOn"] or found["inAcw"] or found["waiting"])

    until(over)
    return traffic(sim)


def test_each_new_conversation_is_told_once_with_a_customer_of_its_own(sim: Simulated, listener: Listener) -> None:
    played = play_to_the_end(sim, notify=f"{listener.url}/told")

    assert [played[name] for name in ("begun", "ended", "finished", "told", "registered", "failed")] == [
        *(10, 10, 10, 10, 10, 0),
    ]
    assert played["plan"]["perMinute"] == 600
    assert listener.paths == {"/told"}
    assert {post["interactionId"] for post in listener.posts} == {one["conversationId"] for one in ledger(sim)}
    assert len({UUID(post["customerId"]) for post in listener.posts}) == len(listener.posts) == 10
    assert sim.sim("GET", "balance")["expected"] == 10


def test_the_ledger_tells_the_moments_of_each_conversation_in_order(sim: Simulated, listener: Listener) -> None:
    play_to_the_end(sim, notify=listener.url)

    for one in ledger(sim):
        assert one["began"] <= one["told"] <= one["registered"] <= one["ended"] <= one["finished"]
        assert one["status"] == 201
        assert (one["listened"], one["unheard"]) == (None, None)


def test_a_topic_is_listened_to_when_a_channel_with_a_socket_has_it(sim: Simulated) -> None:
    sim.sim("POST", "traffic", {"perMinute": 0, "lasting": 2})
    until(lambda: len(ledger(sim)) == 2)
    first, second = ledger(sim)
    channel = sim.channel()

    # subscribed before the socket is open, and after
    sim.subscriptions("POST", channel, acw_topic(first))
    assert ledger(sim)[0]["listened"] is None
    sim.socket(channel)
    until(lambda: ledger(sim)[0]["listened"] is not None)
    assert ledger(sim)[1]["listened"] is None
    sim.subscriptions("POST", channel, acw_topic(second))
    assert ledger(sim)[1]["listened"] >= ledger(sim)[0]["listened"] >= first["began"]


def test_a_topic_is_unheard_when_the_last_channel_with_a_socket_has_given_it_back(sim: Simulated) -> None:
    sim.sim("POST", "traffic", {"perMinute": 0, "lasting": 1})
    until(lambda: len(ledger(sim)) == 1)
    topic = acw_topic(ledger(sim)[0])
    (channel, opened), (other, _) = sim.listening(), sim.listening()
    for one in (channel, other):
        sim.subscriptions("POST", one, topic)
    listened = ledger(sim)[0]["listened"]

    sim.subscriptions("DELETE", other)
    assert ledger(sim)[0]["unheard"] is None
    opened.request({"message": "unsubscribe", "topics": [topic]})
    assert ledger(sim)[0]["unheard"] >= listened

    sim.subscriptions("POST", other, topic)
    assert (ledger(sim)[0]["unheard"], ledger(sim)[0]["listened"]) == (None, listened)
    sim.sim("POST", f"channels/{other['id']}/expire")
    assert ledger(sim)[0]["unheard"] is not None


def test_a_channel_that_keeps_its_list_without_a_socket_does_not_listen(sim: Simulated) -> None:
    sim.sim("POST", "traffic", {"perMinute": 0, "lasting": 1})
    until(lambda: len(ledger(sim)) == 1)
    channel, opened = sim.listening()
    sim.subscriptions("POST", channel, acw_topic(ledger(sim)[0]))
    assert sim.sim("GET", "state")["listenedTopics"] == 1

    opened.close()
    until(lambda: ledger(sim)[0]["unheard"] is not None)
    assert (sim.sim("GET", "state")["listenedTopics"], sim.sim("GET", "state")["topics"]) == (0, 1)
    sim.socket(channel)
    until(lambda: ledger(sim)[0]["unheard"] is None)


def test_the_state_shows_the_traffic_in_numbers(sim: Simulated) -> None:
    assert sim.sim("GET", "state")["traffic"]["playing"] is False
    sim.sim("POST", "traffic", {"perMinute": 0, "lasting": 3})
    until(lambda: traffic(sim)["goingOn"] == 3)
    state = sim.sim("GET", "state")
    assert state["traffic"] == {name: value for name, value in traffic(sim).items() if name != "plan"}
    assert state["conversations"] == 3


def test_one_traffic_is_played_at_a_time_until_it_is_stopped(sim: Simulated) -> None:
    assert sim.http("POST", "/_sim/traffic", json={"perMinute": 60}).status_code == 201
    again = sim.http("POST", "/_sim/traffic", json={"perMinute": 60})
    assert (again.status_code, again.json()["error"]) == (409, "traffic is played already; DELETE stops it")
    assert sim.sim("DELETE", "traffic")["playing"] is False
    assert sim.http("POST", "/_sim/traffic", json={"perMinute": 60}).status_code == 201
    assert sim.sim("DELETE", "traffic", {"abandon": True})["playing"] is False


@pytest.mark.parametrize("body", [{"perMinute": "x"}, {"nonsense": 1}, {"notify": "ftp://127.0.0.1"}, [1]])
def test_parameters_that_make_no_sense_are_refused_in_a_sentence(sim: Simulated, body: object) -> None:
    refused = sim.http("POST", "/_sim/traffic", json=body)
    assert refused.status_code == 400
    assert refused.json()["error"]
    assert traffic(sim)["playing"] is False


def test_a_reset_stops_the_traffic_and_forgets_it(sim: Simulated, listener: Listener) -> None:
    sim.sim("POST", "traffic", {"perMinute": 60_000, "notify": listener.url})
    until(lambda: traffic(sim)["begun"] > 10)
    sim.sim("POST", "reset")
    assert (traffic(sim)["playing"], traffic(sim)["begun"], traffic(sim)["plan"]) == (False, 0, None)
    assert ledger(sim) == []
    gevent.sleep(0.1)
    assert sim.sim("GET", "state")["conversations"] == 0


def test_traffic_follows_the_speed_of_the_clock(sim: Simulated) -> None:
    sim.sim("POST", "clock", {"speed": 1000})
    played = play_to_the_end(sim, perMinute=60, seconds=60, talkSeconds=300, acwSeconds=60)
    assert (played["begun"], played["finished"]) == (60, 60)


def test_what_is_not_told_at_once_is_told_again(sim: Simulated, listener: Listener) -> None:
    listener.statuses = [503, 500, 200]
    played = play_to_the_end(sim, perMinute=60, notify=listener.url)
    assert [played[name] for name in ("told", "registered", "failed", "retries")] == [1, 1, 0, 2]
    assert len({(post["interactionId"], post["customerId"]) for post in listener.posts}) == 1
    assert len(listener.posts) == 3


def test_what_is_refused_is_not_told_again(sim: Simulated, listener: Listener) -> None:
    listener.statuses = [422]
    played = play_to_the_end(sim, perMinute=60, notify=listener.url)
    assert [played[name] for name in ("told", "registered", "failed", "retries")] == [1, 0, 1, 0]
    (one,) = ledger(sim)
    assert (one["status"], one["registered"]) == (422, None)


def test_of_what_nobody_could_be_told_no_record_is_expected(sim: Simulated, listener: Listener) -> None:
    listener.close()
    sim.sim("POST", "traffic", {"perMinute": 0, "lasting": 1, "notify": listener.url})
    until(lambda: traffic(sim)["retries"] == 1)
    (one,) = ledger(sim)
    assert (one["told"], one["status"]) == (None, "ConnectionRefusedError")

    def given_up() -> bool:
        sim.sim("POST", "clock", {"advance": 12})  # longer than the longest pause
        return bool(traffic(sim)["failed"])

    until(given_up)
    assert traffic(sim)["retries"] == 5
    (conversation,) = sim.sim("GET", "conversations")["conversations"]
    sim.play(conversation, "wrapup")
    assert sim.sim("GET", "balance")["expected"] == 0


def test_bofe_registers_what_it_is_told_with_its_token(sim: Simulated, listener: Listener) -> None:
    bofe = Bofe(f"{listener.url}/", "secret")
    bofe.start("127.0.0.1", 0)
    played = play_to_the_end(sim, notify=bofe.url)
    bofe.stop()

    assert played["registered"] == 10
    assert listener.paths == {"/customers/supportInteraction"}
    assert listener.authorizations == {"Bearer secret"}
    assert {post["interactionId"] for post in listener.posts} == {one["conversationId"] for one in ledger(sim)}
    assert bofe.answers == {201: 10}


def test_bofe_answers_as_the_gateway_did_or_502_without_an_answer(sim: Simulated, listener: Listener) -> None:
    bofe = Bofe(listener.url, "secret")
    bofe.start("127.0.0.1", 0)
    listener.statuses = [503]
    reply = sim.http("POST", bofe.url, json={})
    assert (reply.status_code, reply.json()) == (503, {"status": 503})
    listener.close()
    bofe.answers.clear()
    gevent.sleep(1.1)  # an idle connection is not used again
    assert sim.http("POST", bofe.url, json={}).status_code == 502
    assert sim.http("GET", bofe.url).status_code == 405
    bofe.stop()
    assert bofe.answers == {0: 1}


@pytest.mark.parametrize("module", [["genesys_gateway", "simulator"], ["genesys_gateway.simulator"]])
def test_bofe_is_a_command_that_ends_with_a_count_of_answers(
    listener: Listener, sim: Simulated, module: list[str]
) -> None:
    command = [sys.executable, "-m", *module, "bofe", "--gateway", listener.url, "--port", "0"]
    environment = {**os.environ, "BOFE_TOKEN": "from-the-environment"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        sim.http("POST", url, json={}).raise_for_status()
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read().split() == ["1", "201"]
        assert process.wait(10) == 0
    assert listener.authorizations == {"Bearer from-the-environment"}


def test_bofe_reads_its_token_from_a_file(listener: Listener, sim: Simulated, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("from-a-file\n")
    options = ["--gateway", listener.url, "--port", "0", "--token-file", str(token)]
    command = [sys.executable, "-m", "genesys_gateway.simulator", "bofe", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        sim.http("POST", process.stdout.readline().split()[1], json={}).raise_for_status()
        process.terminate()
    assert listener.authorizations == {"Bearer from-a-file"}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--token", "x", "--gateway", "https://gateway.example"],
        ["--token", "x", "--host", "192.0.2.1"],
        ["--token", "x", "--port", "99999"],
        ["--token-file", "/no/such/file"],
    ],
)
def test_bofe_says_what_it_needs(
    arguments: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BOFE_TOKEN", raising=False)
    assert main(["bofe", *arguments]) == 2
    assert capfd.readouterr().err.startswith("bofe: ")
