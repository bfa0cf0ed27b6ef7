"""Every fault of the simulator by its name: its effect, the calls and sockets it affects, and that it ends."""

from __future__ import annotations

import time
import uuid

import gevent
import pytest
import requests
import websocket

from genesys_gateway.simulator import odd_text
from genesys_gateway.simulator.faults import CATALOGUE
from genesys_gateway.simulator.odd_text import KINDS
from tests.doubles.simulator import Simulated, acw_topic

pytest_plugins = ("simulator_fixture",)

ME = "/api/v2/tokens/me"


def fault(sim: Simulated, name: str, **params: object) -> int:
    return int(sim.sim("POST", "faults", {"name": name, **params})["id"])


def test_every_fault_of_the_catalogue_has_a_test() -> None:
    with open(__file__, encoding="utf-8") as text:
        tested = text.read()
    assert [name for name in CATALOGUE if f'"{name}"' not in tested] == []


# --- HTTP ------------------------------------------------------------------------------------------------------


def test_an_answer_can_be_told_for_a_number_of_calls(sim: Simulated) -> None:
    fault(sim, "answer", method="GET", path=ME, status=503, retryAfter=7, count=2)
    replies = [sim.api("GET", "tokens/me") for _ in range(3)]
    assert [reply.status_code for reply in replies] == [503, 503, 200]
    assert replies[0].headers["Retry-After"] == "7"
    assert sim.api("HEAD", "tokens/me").status_code == 200, "another method is not affected"


def test_a_fault_can_be_told_for_the_calls_about_one_conversation(sim: Simulated) -> None:
    one, other = (sim.sim("POST", "conversations")["conversationId"] for _ in range(2))
    fault(sim, "answer", conversation=one, path="/api/v2/analytics/*", status=500)
    bulk = "analytics/conversations/details?id="
    paths = (f"{bulk}{other}&id={one}", f"{bulk}{other}", f"analytics/conversations/{one}/details")
    assert [sim.api("GET", path).status_code for path in (*paths, f"conversations/{one}")] == [500, 200, 500, 200]


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [("hollow_answer", "participants", []), ("large_answer", "padding", "xxx"), ("answer_about_another", "id", "else")],
)
def test_what_an_answer_says_about_one_conversation_can_be_wrong(
    sim: Simulated, name: str, field: str, value: object
) -> None:
    sim.sim("PATCH", "settings", {"analyticsLagSeconds": 0})
    one, other = (sim.sim("POST", "conversations")["conversationId"] for _ in range(2))
    fault(sim, name, conversation=one, **{"bytes": 3, "as": "else"})
    found = [sim.api("GET", f"conversations/{each}").json().get(field) for each in (one, other)]
    assert (found[0], found[1] == value) == (value, False)
    field = field.replace("id", "conversationId")
    reply = sim.api("GET", f"analytics/conversations/details?id={one}&id={other}").json()["conversations"]
    assert [each.get(field) == value for each in reply] == [True, False]


def test_a_hanging_call_is_let_go_when_the_fault_ends(sim: Simulated) -> None:
    number = fault(sim, "hang", path=ME)
    with pytest.raises(requests.Timeout):
        sim.http("GET", ME, timeout=0.2)
    waiting = gevent.spawn(sim.http, "GET", ME)
    waiting.join(0.1)
    assert not waiting.ready()
    sim.sim("DELETE", f"faults/{number}")
    with pytest.raises(requests.ConnectionError):
        waiting.get(timeout=5)


def test_reset_does_nothing_and_reply_lost_does_it(sim: Simulated) -> None:
    path = "/api/v2/notifications/channels"
    for name, made in (("reset", 0), ("reply_lost", 1)):
        fault(sim, name, method="POST", path=path, count=1)
        with pytest.raises(requests.ConnectionError):
            sim.channel()
        assert len(sim.sim("GET", "channels")) == made
    calls = sim.sim("GET", "ledger?part=calls")["calls"]
    assert [call["status"] for call in calls if call["method"] == "POST" and call["path"] == path] == [0, 0]


def test_answers_can_be_slow_or_trickle(sim: Simulated) -> None:
    quick = sim.api("GET", "tokens/me")
    for name, params in (("slow", {"delaySeconds": 0.2}), ("slow_body", {"bytesPerSecond": len(quick.content) / 0.2})):
        fault(sim, name, path=ME, count=1, **params)
        began = time.monotonic()
        assert sim.api("GET", "tokens/me").json() == quick.json()
        assert time.monotonic() - began >= 0.2


def test_an_answer_can_be_garbage(sim: Simulated) -> None:
    fault(sim, "garbage_answer", path="/oauth/token", count=1)
    garbage = sim.grant()
    assert garbage.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        garbage.json()


def test_a_rate_storm_is_429_for_everything_while_it_lasts(sim: Simulated) -> None:
    fault(sim, "rate_storm", retryAfter=3, seconds=100)
    refused = sim.api("GET", "tokens/me")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3")
    sim.sim("POST", "clock", {"advance": 100})
    assert sim.api("GET", "tokens/me").status_code == 200


def test_an_unknown_fault_is_refused_with_the_list(sim: Simulated) -> None:
    refused = sim.http("POST", "/_sim/faults", json={"name": "nonsense"})
    assert refused.status_code == 400
    assert "lose_events" in refused.json()["error"]


# --- sockets ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 401, 403, 404, 429, 503])
def test_an_upgrade_can_be_refused(sim: Simulated, status: int) -> None:
    channel = sim.channel()
    fault(sim, "refuse_upgrade", channel=channel["id"], status=status, count=1)
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        sim.socket(channel)
    assert refused.value.status_code == status
    assert sim.socket(channel).request({"message": "ping"})


def test_a_hostile_connect_uri_is_handed_out(sim: Simulated) -> None:
    fault(sim, "connect_uri", uri="wss://evil.example/channels/x", count=1)
    assert sim.channel()["connectUri"] == "wss://evil.example/channels/x"
    assert sim.channel()["connectUri"].startswith("ws://127.0.0.1")


def test_a_frozen_socket_neither_speaks_nor_closes_until_it_thaws(sim: Simulated) -> None:
    _, opened = sim.listening()
    fault(sim, "freeze")
    opened.send({"message": "ping"})
    assert opened.receives_nothing()
    sim.sim("DELETE", "faults")
    assert opened.receive()["eventBody"]["message"] == "pong"


def test_the_end_of_a_line_is_in_the_ledger_at_once_even_if_its_socket_is_frozen(sim: Simulated) -> None:
    channel, opened = sim.listening()
    fault(sim, "freeze")
    opened.send({"message": "ping"})
    opened.disconnect()
    events = []
    for _ in range(100):
        events = [one["event"] for one in sim.sim("GET", "ledger?part=sockets")["sockets"]]
        if "closed" in events:
            break
        gevent.sleep(0.01)
    assert events == ["opened", "closed"]
    sim.sim("DELETE", "faults")
    assert sim.socket(channel).request({"message": "ping"})["eventBody"]["message"] == "pong"


def test_what_was_said_before_the_line_ended_is_done(sim: Simulated) -> None:
    channel, opened = sim.listening(sim.call())
    opened.send({"message": "unsubscribe", "topics": list(sim.topics(channel))})
    opened.close()
    assert sim.topics(channel) == set()


def test_frames_can_come_byte_by_byte(sim: Simulated) -> None:
    _, opened = sim.listening()
    fault(sim, "slow_bytes", bytesPerSecond=300)
    began = time.monotonic()
    assert opened.request({"message": "ping"})["eventBody"]["message"] == "pong"
    assert time.monotonic() - began > 0.15


def test_heartbeats_and_pongs_can_be_withheld(sim: Simulated) -> None:
    sim.sim("PATCH", "settings", {"heartbeatSeconds": 0.02})
    fault(sim, "no_heartbeat")
    fault(sim, "no_pong")
    opened = sim.socket(sim.channel())
    opened.send({"message": "ping"})
    assert opened.receives_nothing()
    sim.sim("DELETE", "faults")
    assert opened.receive()["topicName"] == "channel.metadata"


def test_a_subscribe_message_can_stay_unanswered_though_done(sim: Simulated) -> None:
    channel, topic = sim.channel(), acw_topic(sim.call())
    opened = sim.socket(channel)
    fault(sim, "no_reply")
    opened.send({"message": "subscribe", "topics": [topic]})
    assert opened.receives_nothing()
    assert sim.topics(channel) == {topic}


def test_a_subscribe_message_can_be_refused(sim: Simulated) -> None:
    channel = sim.channel()
    fault(sim, "refuse_reply", result="400")
    reply = sim.socket(channel).request({"message": "subscribe", "topics": [acw_topic(sim.call())]})
    assert reply["result"] == "400"
    assert sim.topics(channel) == set()


@pytest.mark.parametrize("garbage", ["text", "huge", "deep", "not-utf8", "nul", "array", "number", "empty"])
def test_garbage_can_be_written_to_a_socket(sim: Simulated, garbage: str) -> None:
    channel, opened = sim.listening()
    sim.sim("POST", f"channels/{channel['id']}/send", {"garbage": garbage})
    frame = opened.receive_raw()
    assert garbage not in ("huge", "deep") or len(frame) >= 100_000
    assert opened.request({"message": "ping"})["eventBody"]["message"] == "pong"


def test_a_socket_can_be_dropped_or_its_channel_evicted_or_expired(sim: Simulated) -> None:
    for deed, end in (("drop", "reset"), ("evict", "evicted"), ("expire", "expired")):
        channel, opened = sim.listening()
        sim.sim("POST", f"channels/{channel['id']}/{deed}")
        assert opened.end_reason() == end


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("socket_drop", "reset"),
        ("socket_close", "closed by control"),
        ("evict", "evicted"),
        ("expire", "expired"),
        ("revoked_token", "its token was revoked"),
    ],
)
def test_harm_at_once_has_a_fault_name_too(sim: Simulated, name: str, end: str) -> None:
    channel, opened = sim.listening()
    sim.sim("POST", "faults", {"name": name, "channel": channel["id"]})
    assert opened.end_reason() == end
    assert [fault["name"] for fault in sim.sim("GET", "ledger?part=faults")["faults"]] == [name]


@pytest.mark.parametrize("name", ["closing_notice", "garbage_frame", "huge_frame", "deep_frame"])
def test_frames_nobody_asked_for_can_be_sent_to_every_socket(sim: Simulated, name: str) -> None:
    (_, first), (_, second) = sim.listening(), sim.listening()
    sim.sim("POST", "faults", {"name": name})
    assert first.receive_raw() == second.receive_raw() != b""


def test_topics_can_be_lost_or_taken_on_every_channel_and_the_receiver_told(sim: Simulated) -> None:
    conversation = sim.call()
    for name in ("lose_topics", "no_longer_subscribed"):
        channel, _ = sim.listening(conversation)
        sim.sim("POST", "faults", {"name": name})
        assert sim.topics(channel) == set()
    sim.sim("POST", "faults", {"name": "receiver", "mode": "503"})
    assert sim.sim("GET", "history/mode")["mode"] == "503"


# --- events ----------------------------------------------------------------------------------------------------


def test_events_can_be_lost_and_the_ledger_knows(sim: Simulated) -> None:
    conversation = sim.call()
    _, opened = sim.listening(conversation)
    fault(sim, "lose_events", topic=acw_topic(conversation), count=1)
    assert sim.play(conversation, "wrapup")["heard"] == 0
    assert opened.receives_nothing()
    assert sim.sim("GET", "balance")["lost"] == 1


@pytest.mark.parametrize(("fields", "left"), [(["sessionId", "participantId"], True), (["*"], False)])
def test_events_can_lack_fields_and_the_ledger_knows_the_whole_truth(
    sim: Simulated, fields: list[str], left: bool
) -> None:
    conversation = sim.call()
    _, opened = sim.listening(conversation)
    fault(sim, "omit_fields", topic=acw_topic(conversation), fields=fields, count=1)
    work = sim.play(conversation, "wrapup")
    body = opened.event()
    assert ("userId" in body, "sessionId" in body, "participantId" in body) == (left, False, False)
    (finished,) = sim.sim("GET", "ledger?part=finished")["finished"]
    assert (finished["recordKey"], finished["at"] > 0) == (work["recordKey"], True)
    sim.play(conversation, "announce")
    assert opened.event()["sessionId"] == conversation["sessionId"]


def test_events_can_come_twice(sim: Simulated) -> None:
    conversation = sim.call()
    _, opened = sim.listening(conversation)
    fault(sim, "duplicate_events", times=3)
    sim.play(conversation, "wrapup")
    first, second, third = (opened.event() for _ in range(3))
    assert first == second == third


def test_events_can_be_delayed(sim: Simulated) -> None:
    conversation = sim.call()
    _, opened = sim.listening(conversation)
    fault(sim, "delay_events", delaySeconds=1000)
    sim.play(conversation, "wrapup")
    assert opened.receives_nothing()
    sim.sim("POST", "clock", {"advance": 1000})
    assert opened.event()["conversationId"] == conversation["conversationId"]


def test_events_can_come_in_another_order(sim: Simulated) -> None:
    conversations = [sim.call() for _ in range(20)]
    _, opened = sim.listening(*conversations)
    fault(sim, "reorder_events", delaySeconds=0.3)
    for conversation in conversations:
        sim.play(conversation, "wrapup")
    sent = [conversation["conversationId"] for conversation in conversations]
    heard = [opened.event()["conversationId"] for _ in sent]
    assert sorted(heard) == sorted(sent)
    assert heard != sent


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_sent_about_one_conversation_can_hold_odd_text(sim: Simulated, kind: str) -> None:
    odd, sound = sim.call(), sim.call()
    _, opened = sim.listening(odd, sound)
    number = fault(sim, "odd_text", conversation=odd["conversationId"], kind=kind, bytes=5000)
    sim.sim("PATCH", "settings", {"analyticsLagSeconds": 0})
    for conversation in (sound, odd):
        sim.play(conversation, "wrapup", notes="a note")

    assert opened.event()["conversationId"] == sound["conversationId"]
    event = opened.receive_raw()
    live = sim.api("GET", f"conversations/{odd['conversationId']}").content
    ids = [("id", one["conversationId"]) for one in (sound, odd)]
    bulk = sim.api("GET", "analytics/conversations/details", params=ids).content
    alone = sim.api("GET", f"analytics/conversations/{odd['conversationId']}/details").content
    sim.sim("DELETE", f"faults/{number}")
    healthy = sim.api("GET", f"conversations/{odd['conversationId']}").content

    expected = {"half_id": rb"\ud83d", "half_key": rb"\ud83d", "large": b"tTalk"}.get(kind) or odd_text.ODD[kind]
    for sent in (event, bulk, alone, *((live,) if kind != "half_id" else ())):
        assert expected in sent
        assert odd["conversationId"].encode() in sent
    assert expected not in healthy
    assert bulk.count(b'"conversationId"') == 2
    assert kind != "large" or len(live) > 5000


def test_the_same_session_can_be_announced_again_with_other_content(sim: Simulated) -> None:
    conversation = sim.call()
    _, opened = sim.listening(conversation)
    sim.play(conversation, "wrapup")
    sim.play(conversation, "announce", changes={"wrapupNotes": "another", "sessionId": None})
    first, second = opened.event(), opened.event()
    assert second["wrapupNotes"] == "another"
    assert "sessionId" in first
    assert "sessionId" not in second


def test_subscriptions_can_be_refused_forgotten_or_lost(sim: Simulated) -> None:
    refused, forgotten, lost = (acw_topic({"conversationId": uuid.uuid4()}) for _ in range(3))
    channel = sim.channel()
    fault(sim, "reject_topics", topic=refused)
    fault(sim, "forget_topics", topic=forgotten)
    states = sim.subscriptions("POST", channel, refused, forgotten, lost, ignore=True).json()["entities"]
    assert [entity["state"] for entity in states] == ["Rejected", "Permitted", "Permitted"]
    assert sim.topics(channel) == {lost}
    sim.sim("POST", f"channels/{channel['id']}/lose-topics")
    assert sim.topics(channel) == set()


def test_a_topic_can_be_taken_with_notice(sim: Simulated) -> None:
    conversation = sim.call()
    channel, opened = sim.listening(conversation)
    sim.sim("POST", f"channels/{channel['id']}/take-topic", {"topics": [acw_topic(conversation)], "reason": "x"})
    assert opened.receive()["eventBody"]["reason"] == "x"
    assert sim.topics(channel) == set()
