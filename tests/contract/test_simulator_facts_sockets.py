"""The simulator behaves as Genesys does: tests by the number of the fact, for sockets and events."""

from __future__ import annotations

from tests.doubles.simulator import Simulated, acw_topic

pytest_plugins = ("simulator_fixture",)


def test_f25_a_second_socket_disconnects_the_first(sim: Simulated) -> None:
    channel = sim.channel()
    first, second = sim.socket(channel), sim.socket(channel)
    assert first.end_reason() == "another socket was opened"
    assert second.request({"message": "ping"})["eventBody"]["message"] == "pong"


def test_f26_a_new_socket_finds_the_subscriptions(sim: Simulated) -> None:
    conversation = sim.call()
    channel, first = sim.listening(conversation)
    first.close()
    second = sim.socket(channel)
    sim.play(conversation, "wrapup")
    assert second.event()["conversationId"] == conversation["conversationId"]


def test_f27_heartbeats_come_in_the_pace_that_is_set(sim: Simulated) -> None:
    assert sim.sim("GET", "settings")["heartbeatSeconds"] == 30
    sim.sim("PATCH", "settings", {"heartbeatSeconds": 0.05})
    opened = sim.socket(sim.channel())
    for _ in range(2):
        assert opened.receive() == {"topicName": "channel.metadata", "eventBody": {"message": "WebSocket Heartbeat"}}


def test_f28_what_happens_without_a_socket_never_arrives(sim: Simulated) -> None:
    missed, heard = sim.call(), sim.call()
    channel, first = sim.listening(missed, heard)
    first.close()
    while sim.sim("GET", "state")["sockets"]:
        pass
    sim.play(missed, "wrapup")
    second = sim.socket(channel)
    sim.play(heard, "wrapup")
    assert second.event()["conversationId"] == heard["conversationId"]
    finished = sim.sim("GET", "ledger?part=finished")["finished"]
    assert [acw["heard"] for acw in finished] == [0, 1]


def test_f29_the_closing_notice_comes_first_and_the_socket_works_until_the_close(sim: Simulated) -> None:
    conversation = sim.call()
    channel, opened = sim.listening(conversation)
    sim.sim("POST", f"channels/{channel['id']}/close", {"notice": True})
    assert opened.receive()["topicName"] == "v2.system.socket_closing"
    sim.play(conversation, "wrapup")
    assert opened.event()["conversationId"] == conversation["conversationId"]
    sim.sim("POST", "clock", {"advance": 60})
    assert opened.end_reason() == "planned"
    assert sim.topics(channel) == {acw_topic(conversation)}, "the channel lives on"


def test_f29_a_socket_can_close_without_notice(sim: Simulated) -> None:
    channel, opened = sim.listening()
    sim.sim("POST", f"channels/{channel['id']}/close", {"notice": False})
    assert opened.end_reason() == "reset"


def test_f30_a_topic_taken_by_another_channel_is_announced(sim: Simulated) -> None:
    sim.sim("PATCH", "settings", {"exclusiveTopics": True})
    conversation = sim.call()
    channel, opened = sim.listening(conversation)
    sim.subscriptions("POST", sim.channel(), acw_topic(conversation))
    message = opened.receive()
    assert message["topicName"] == "v2.system.no_longer_subscribed"
    assert message["eventBody"]["reason"] == "another_channel_subscribed"
    assert sim.topics(channel) == set()


def test_f30_system_notices_can_name_their_channel(sim: Simulated) -> None:
    sim.sim("PATCH", "settings", {"exclusiveTopics": True, "noticesNameChannel": True})
    conversation = sim.call()
    channel, opened = sim.listening(conversation)
    one = channel["id"]

    sim.subscriptions("POST", sim.channel(), acw_topic(conversation))
    sim.sim("POST", f"channels/{one}/close", {"notice": True})
    sim.sim("POST", "tokens/revoke")

    taken, closing, revoked = (opened.receive() for _ in range(3))
    assert taken["topicName"] == f"v2.system.no_longer_subscribed.{one}"
    assert taken["eventBody"] == {"channelId": one, "reason": "another_channel_subscribed"}
    assert closing["topicName"] == f"v2.system.socket_closing.{one}"
    assert revoked["topicName"] == f"v2.system.token_revoked.{one}"


def test_f30_a_revoked_token_is_announced_and_ends_the_socket(sim: Simulated) -> None:
    _, opened = sim.listening()
    sim.sim("POST", "tokens/revoke")
    message = opened.receive()
    assert message == {"topicName": "v2.system.token_revoked", "eventBody": {"reason": "user_tokens_revoked"}}
    assert opened.end_reason() == "its token was revoked"
    assert sim.api("GET", "tokens/me").status_code == 401


def test_f31_topics_are_added_and_removed_over_the_socket(sim: Simulated) -> None:
    channel = sim.channel()
    topic = acw_topic(sim.call())
    opened = sim.socket(channel)
    assert opened.request({"message": "subscribe", "topics": [topic], "correlationId": "12"}) == {
        "correlationId": "12",
        "topics": [topic],
        "result": "200",
        "status": "subscribed",
        "message": "Successfully subscribed to topic(s).",
    }
    assert sim.topics(channel) == {topic}
    assert opened.request({"message": "unsubscribe", "topics": [topic]})["status"] == "unsubscribed"
    assert sim.topics(channel) == set()


def test_f32_replies_have_no_topic_name_and_may_lack_the_correlation_id(sim: Simulated) -> None:
    sim.sim("PATCH", "settings", {"replyCorrelation": False})
    reply = sim.socket(sim.channel()).request({"message": "subscribe", "topics": ["v2.nonsense"], "correlationId": "1"})
    assert "topicName" not in reply
    assert "correlationId" not in reply
    assert reply["result"] == "400"


def test_f32_a_channel_that_is_no_more_answers_404(sim: Simulated) -> None:
    opened = sim.socket(sim.channel())
    sim.sim("POST", "faults", {"name": "refuse_reply", "result": 404, "count": 1})
    reply = opened.request({"message": "subscribe", "topics": [acw_topic(sim.call())], "correlationId": "1"})
    assert (reply["result"], reply["correlationId"]) == ("404", "1")


def test_f33_the_same_event_arrives_on_every_channel_that_asked(sim: Simulated) -> None:
    conversation = sim.call()
    (_, first), (_, second) = sim.listening(conversation), sim.listening(conversation)
    sim.play(conversation, "wrapup")
    assert first.event() == second.event()


def test_f34_a_ping_is_answered_with_a_pong(sim: Simulated) -> None:
    answer = sim.socket(sim.channel()).request({"message": "ping"})
    assert answer == {"topicName": "channel.metadata", "eventBody": {"message": "pong"}}


def test_f35_the_event_comes_in_its_envelope(sim: Simulated) -> None:
    conversation = sim.call()
    _, opened = sim.listening(conversation)
    sent = sim.play(conversation, "wrapup")["event"]
    message = opened.receive()
    assert message == sent
    assert message["topicName"] == acw_topic(conversation)
    assert set(message) == {"topicName", "version", "eventBody", "metadata"}
    assert message["metadata"]["CorrelationId"]


def test_f36_what_is_not_known_is_left_out_and_times_are_milliseconds(sim: Simulated) -> None:
    body = sim.play(sim.call(mediaType="CHAT"), "wrapup")["event"]["eventBody"]
    assert not {"ani", "dnis", "messageType", "subject", "wrapupNotes"} & set(body)
    assert body["eventTime"] > 1_500_000_000_000


def test_f37_events_shout_and_rest_whispers(sim: Simulated) -> None:
    conversation = sim.call(mediaType="MESSAGE", messageType="sms", direction="OUTBOUND")
    body = sim.play(conversation, "wrapup")["event"]["eventBody"]
    assert (body["mediaType"], body["messageType"], body["direction"]) == ("MESSAGE", "SMS", "OUTBOUND")
    message = sim.agents_of(conversation)[0]["messages"][0]
    assert (message["type"], message["direction"]) == ("sms", "outbound")


def test_f38_event_and_rest_name_the_same_identity(sim: Simulated) -> None:
    sim.sim("PATCH", "settings", {"analyticsLagSeconds": 0})
    conversation = sim.call()
    body = sim.play(conversation, "wrapup")["event"]["eventBody"]
    agent = sim.agents_of(conversation)[0]
    details = next(p for p in sim.analytics_of(conversation).json()["participants"] if p["purpose"] == "agent")
    identity = (body["participantId"], body["sessionId"])
    assert (agent["id"], agent["calls"][0]["id"]) == identity
    assert (details["participantId"], details["sessions"][0]["sessionId"]) == identity


def test_f39_each_agent_of_a_transfer_or_consult_has_an_event(sim: Simulated) -> None:
    transferred, consulted = sim.call(), sim.call()
    second = sim.play(transferred, "transfer")
    third = sim.play(consulted, "consult")
    keys = {
        sim.play(transferred, "wrapup")["recordKey"],
        sim.play(transferred, "wrapup", participantId=second["participantId"])["recordKey"],
        sim.play(consulted, "wrapup", participantId=third["participantId"])["recordKey"],
        sim.play(consulted, "wrapup")["recordKey"],
    }
    assert len(keys) == 4


def test_f39_the_first_agent_of_a_transfer_is_in_after_call_work(sim: Simulated) -> None:
    conversation = sim.call()
    sim.play(conversation, "transfer")
    states = [agent["calls"][0]["afterCallWork"]["state"] for agent in sim.agents_of(conversation)]
    assert states == ["pending", "unknown"]


def test_f40_a_callbacks_one_wrapup_belongs_to_both_its_sessions(sim: Simulated) -> None:
    conversation = sim.call(mediaType="CALLBACK", callbackNumbers=["+639170000000"], dialled=True)
    wrapped = sim.play(conversation, "wrapup")
    agent = sim.agents_of(conversation)[0]
    assert [event["eventBody"]["mediaType"] for event in wrapped["events"]] == ["CALLBACK", "VOICE"]
    assert agent["callbacks"][0]["wrapup"] == agent["calls"][0]["wrapup"] == agent["wrapup"]
    assert wrapped["events"][0]["eventBody"]["callbackNumbers"] == ["+639170000000"]


def test_f41_a_reopened_message_announces_earlier_sessions_again(sim: Simulated) -> None:
    conversation = sim.call(mediaType="MESSAGE", messageType="OPEN")
    first = sim.play(conversation, "wrapup")["recordKey"]
    sim.play(conversation, "end")
    sim.play(conversation, "reopen")
    _, opened = sim.listening(conversation)
    sim.play(conversation, "wrapup")
    sessions = [opened.event()["sessionId"] for _ in range(2)]
    assert first.endswith(sessions[1])
    announced = {acw["recordKey"]: acw["announced"] for acw in sim.sim("GET", "ledger?part=finished")["finished"]}
    assert announced[first] == 2


def test_f42_the_code_may_be_a_system_text_or_absent(sim: Simulated) -> None:
    timed_out = sim.play(sim.call(), "wrapup", code="ININ-WRAP-UP-TIMEOUT")["event"]["eventBody"]
    assert timed_out["wrapupCode"] == "ININ-WRAP-UP-TIMEOUT"
    assert "wrapupCode" not in sim.play(sim.call(), "wrapup", code=None)["event"]["eventBody"]


def test_f43_a_queue_may_have_no_after_call_work(sim: Simulated) -> None:
    conversation = sim.call(acw=False)
    sim.play(conversation, "end")
    agent = sim.agents_of(conversation)[0]
    assert (agent["wrapupRequired"], agent["calls"][0]["afterCallWork"]["state"]) == (False, "notApplicable")


def test_f43_after_call_work_may_outlast_the_conversation(sim: Simulated) -> None:
    conversation = sim.call()
    _, opened = sim.listening(conversation)
    sim.play(conversation, "end")
    sim.sim("POST", "clock", {"advance": 10_000})
    assert sim.agents_of(conversation)[0]["calls"][0]["afterCallWork"]["state"] == "pending"
    sim.play(conversation, "wrapup")
    assert opened.event()["conversationId"] == conversation["conversationId"]


def test_f44_numbers_travel_as_they_were_given(sim: Simulated) -> None:
    for ani in ("tel:+639170000000", "sip:somebody@example.com", "09170000000"):
        assert sim.play(sim.call(ani=ani), "wrapup")["event"]["eventBody"]["ani"] == ani


def test_f68_notes_may_end_with_half_a_character(sim: Simulated) -> None:
    conversation = sim.call()
    _, opened = sim.listening(conversation)
    sim.sim("POST", "faults", {"name": "odd_text", "view": "event"})
    sim.play(conversation, "wrapup", notes="a smile ")
    assert rb'"wrapupNotes":"a smile \ud83d"' in opened.receive_raw()
