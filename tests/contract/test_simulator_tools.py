"""The simulator's tools: the ledger and its balance, `verify`, the clock, and the control API's error answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import gevent
import pytest

from genesys_gateway.simulator import main
from tests.doubles.simulator import Simulated, acw_topic

pytest_plugins = ("simulator_fixture",)


def store(sim: Simulated, key: str, identity: str) -> None:
    conversation, participant, session = key.split("/")
    body = {"participantId": participant, "sessionId": session}
    sim.http(
        "POST", "/history/communicationRecords", json={"id": identity, "interactionId": conversation, "body": body}
    )


def run_verify(sim: Simulated, *more: str) -> int:
    # In the thread pool, because in practice `verify` runs in another process.
    return int(gevent.get_hub().threadpool.spawn(main, ["verify", "--url", sim.url, *more]).get() or 0)


def test_a_finished_work_stored_once_is_clean(sim: Simulated, capfd: pytest.CaptureFixture[str]) -> None:
    store(sim, sim.play(sim.call(), "wrapup")["recordKey"], "1")
    assert run_verify(sim) == 0
    assert capfd.readouterr().out.splitlines()[-1] == "clean"


def test_lost_doubled_and_strange_records_are_told(sim: Simulated, capfd: pytest.CaptureFixture[str]) -> None:
    lost, doubled = (sim.play(sim.call(), "wrapup")["recordKey"] for _ in range(2))
    store(sim, doubled, "1")
    store(sim, doubled, "2")
    store(sim, "x/y/z", "3")
    assert run_verify(sim, "--json") == 1
    balance = json.loads(capfd.readouterr().out)
    assert {name: balance[name] for name in ("expected", "storedOnce", "doubled", "lost", "strange")} == {
        "expected": 2,
        "storedOnce": 0,
        "doubled": 1,
        "lost": 1,
        "strange": 1,
    }
    assert balance["examples"]["lost"] == [lost]


def store_nameless(sim: Simulated, work: Any, identity: str, *, late: float = 0.0, **changes: Any) -> None:
    """Store a record that names agent and time of a wrap-up, but no session."""
    event = work["event"]["eventBody"]
    at = datetime.fromtimestamp(event["eventTime"] / 1000 + late, UTC).isoformat()
    body = {"agentId": event["userId"], "participantId": None, "sessionId": None} | changes
    record = {"id": identity, "interactionId": event["conversationId"], "communicatedAt": at, "body": body}
    sim.http("POST", "/history/communicationRecords", json=record)


def balance(sim: Simulated) -> dict[str, int]:
    """The counts of the balance that are not 0."""
    found = sim.sim("GET", "balance")
    names = ("storedOnce", "doubled", "lost", "strange", "withoutSession")
    return {name: found[name] for name in names if found[name]}


def test_a_record_without_a_session_counts_for_the_work_of_its_agent(sim: Simulated) -> None:
    store_nameless(sim, sim.play(sim.call(), "wrapup"), "1", late=119)

    assert balance(sim) == {"storedOnce": 1, "withoutSession": 1}
    assert run_verify(sim) == 0


def test_a_second_record_of_a_work_is_doubled_whether_or_not_it_names_a_session(sim: Simulated) -> None:
    named, nameless = (sim.play(sim.call(), "wrapup") for _ in range(2))
    store(sim, named["recordKey"], "1")
    store_nameless(sim, named, "2")
    store_nameless(sim, nameless, "3")
    store_nameless(sim, nameless, "4", late=1)

    assert balance(sim) == {"doubled": 2, "withoutSession": 3}
    assert run_verify(sim) == 1


@pytest.mark.parametrize(
    ("late", "changes"),
    [(121, {}), (-121, {}), (0, {"agentId": "someone-else"}), (0, {"participantId": "another"})],
    ids=["later", "earlier", "another agent", "another participant"],
)
def test_a_record_without_a_session_of_a_work_that_never_was_is_strange(
    sim: Simulated, late: float, changes: dict[str, str]
) -> None:
    work = sim.play(sim.call(), "wrapup")
    store(sim, work["recordKey"], "1")
    store_nameless(sim, work, "2", late=late, **changes)

    assert balance(sim) == {"storedOnce": 1, "strange": 1, "withoutSession": 1}
    assert run_verify(sim) == 1


def test_two_works_of_an_agent_need_two_records(sim: Simulated) -> None:
    conversation = sim.call(mediaType="CALLBACK", dialled=True)
    work = sim.play(conversation, "wrapup")

    store_nameless(sim, work, "1", late=60)
    assert balance(sim) == {"storedOnce": 1, "lost": 1, "withoutSession": 1}

    store_nameless(sim, work, "2")
    assert balance(sim) == {"storedOnce": 2, "withoutSession": 2}


def test_what_nobody_was_told_of_is_not_expected(sim: Simulated) -> None:
    sim.play(sim.call(expected=False), "wrapup")
    assert sim.sim("GET", "balance")["clean"] is True


def test_verify_can_wait_and_says_when_nobody_answers(sim: Simulated) -> None:
    key = sim.play(sim.call(), "wrapup")["recordKey"]
    late = gevent.spawn_later(0.2, store, sim, key, "1")
    assert run_verify(sim, "--wait", "5") == 0
    late.join()
    assert main(["verify", "--url", "http://127.0.0.1:1"]) == 2


def test_the_ledger_tells_sockets_and_calls_in_order(sim: Simulated) -> None:
    channel, opened = sim.listening()
    opened.close()
    ledger: dict[str, Any] = sim.sim("GET", "ledger")
    assert next(s["event"] for s in ledger["sockets"] if s["channel"] == channel["id"]) == "opened"
    assert [(call["method"], call["path"]) for call in ledger["calls"]][:2] == [
        ("POST", "/oauth/token"),
        ("POST", "/api/v2/notifications/channels"),
    ]


def test_the_ledger_tells_when_a_topic_had_no_socket_or_two(sim: Simulated) -> None:
    sim.sim("POST", "clients", {"id": "other", "secret": "secret"})
    other, conversation = sim.new_token(("other", "secret")), sim.call()
    _, first = sim.listening(conversation)
    second = sim.channel(other)
    opened = sim.socket(second)
    sim.subscriptions("POST", second, acw_topic(conversation), token=other)
    first.close()
    while sim.sim("GET", "ledger?part=overlaps")["overlaps"][0]["until"] is None:
        pass
    assert sim.sim("GET", "ledger?part=unheard")["unheard"] == []

    opened.close()
    while not (unheard := sim.sim("GET", "ledger?part=unheard")["unheard"]):
        pass
    assert [one["conversationId"] for one in unheard] == [conversation["conversationId"]]
    sockets = sim.sim("GET", "ledger?part=sockets")["sockets"]
    assert {one["client"] for one in sockets} == {"simulator-client", "other"}


def test_a_day_passes_in_a_minute_and_clients_are_told_so(sim: Simulated) -> None:
    sim.sim("POST", "clock", {"speed": 1440})
    assert sim.grant().json()["expires_in"] == 60
    opened = sim.socket(sim.channel())
    for _ in range(3):
        assert opened.receive()["eventBody"]["message"] == "WebSocket Heartbeat"


def test_a_channels_whole_day_can_pass_while_one_watches(sim: Simulated) -> None:
    sim.sim("PATCH", "settings", {"tokenSeconds": 172_800, "heartbeatSeconds": 3600})
    sim.sim("POST", "clock", {"speed": 86_400})
    channel, opened = sim.listening()
    assert opened.end_reason() == "expired"
    assert sim.api("HEAD", f"notifications/channels/{channel['id']}").status_code == 404


def test_time_can_jump_but_only_forward(sim: Simulated) -> None:
    before = sim.sim("GET", "clock")["virtualSeconds"]
    assert sim.sim("POST", "clock", {"advance": 1000})["virtualSeconds"] >= before + 1000
    assert sim.http("POST", "/_sim/clock", json={"advance": -1}).status_code == 400


def test_a_storm_wraps_up_everybody_at_a_steady_rate(sim: Simulated) -> None:
    conversations = sim.sim("POST", "conversations", {"count": 100})["conversations"]
    _, opened = sim.listening(*conversations)
    assert sim.sim("POST", "wrapup-all", {"perSecond": 1000})["count"] == 100
    heard = {opened.event()["conversationId"] for _ in range(100)}
    assert heard == {conversation["conversationId"] for conversation in conversations}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "nothing", None, 404),
        ("POST", "state", None, 405),
        ("POST", "conversations", [1], 400),
        ("POST", "conversations", {"mediaType": "SMELL"}, 400),
        ("POST", "conversations/none/wrapup", {}, 404),
        ("PATCH", "settings", {"nonsense": 1}, 400),
        ("PATCH", "settings", {"heartbeatSeconds": "soon"}, 400),
        ("POST", "history/mode", {"mode": "nonsense"}, 400),
        ("POST", "channels/none/drop", {}, 404),
        ("DELETE", "faults/99999", None, 404),
        ("GET", "ledger?part=nonsense", None, 400),
        ("POST", "users", {"id": "x"}, 400),
    ],
)
def test_control_calls_that_make_no_sense_are_refused_in_a_sentence(
    sim: Simulated, method: str, path: str, body: object, status: int
) -> None:
    refused = sim.http(method, f"/_sim/{path}", json=body)
    assert refused.status_code == status
    assert refused.json()["error"]


def test_an_agent_is_wrapped_up_only_once(sim: Simulated) -> None:
    conversation = sim.call()
    sim.play(conversation, "wrapup")
    path = f"/_sim/conversations/{conversation['conversationId']}/wrapup"
    assert sim.http("POST", path, json={"participantId": conversation["participantId"]}).status_code == 409


def test_reset_forgets_everything(sim: Simulated) -> None:
    sim.play(sim.call(), "wrapup")
    _, opened = sim.listening()
    sim.sim("POST", "reset")
    assert opened.end_reason() == "reset"
    state = sim.sim("GET", "state")
    assert [state[name] for name in ("conversations", "finishedAcw", "channels", "sockets", "tokens")] == [0] * 5


@pytest.mark.parametrize(
    "arguments",
    [
        ("--port", "99999"),
        ("--speed", "0"),
        ("--speed", "nan"),
        ("--set", "heartbeatSeconds=0"),
        ("--saml-certificate", "nowhere.pem"),
    ],
    ids=" ".join,
)
def test_a_simulator_that_cannot_be_says_why(arguments: tuple[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", "0", *arguments]) == 2
    assert capfd.readouterr().err.startswith("simulator: ")
