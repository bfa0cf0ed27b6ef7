"""The simulator behaves as Genesys does: tests by the number of the fact, for login and channels."""

from __future__ import annotations

import base64
import uuid

import pytest
import requests
import websocket

from tests.doubles.simulator import SAML, Simulated, acw_topic

pytest_plugins = ("simulator_fixture",)


def some_topics(count: int) -> list[str]:
    return [acw_topic({"conversationId": uuid.uuid4()}) for _ in range(count)]


def codes(reply: requests.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["code"]


# --- login -----------------------------------------------------------------------------------------------------


def test_f01_a_token_needs_basic_authentication(sim: Simulated) -> None:
    form = {"grant_type": "client_credentials", "client_id": "simulator-client", "client_secret": "simulator-secret"}
    assert sim.grant(None, **form).json()["error"] == "invalid_client"
    assert sim.grant().status_code == 200


def test_f02_a_plus_in_the_assertion_has_to_be_encoded(sim: Simulated) -> None:
    assertion = base64.b64encode(b"\xfb\xef\xbe\xfb").decode()
    assert "+" in assertion
    raw = f"grant_type={SAML}&orgName=simulator-org&assertion={assertion}"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    refused = sim.http("POST", "/oauth/token", auth=("simulator-client", "simulator-secret"), data=raw, headers=form)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert sim.saml_grant(assertion=assertion).status_code == 200


def test_f03_a_client_has_one_grant_and_can_make_channels_with_it(sim: Simulated) -> None:
    sim.sim("POST", "clients", {"id": "c", "secret": "s", "grant": "client-credentials"})
    refused = sim.grant(("c", "s"), grant_type=SAML, orgName="simulator-org", assertion="YQ==")
    assert (refused.status_code, refused.json()["error"]) == (400, "unauthorized_client")
    assert sim.channel(sim.new_token(("c", "s")))["id"]


def test_f04_the_answer_tells_the_lifetime_and_it_can_be_set(sim: Simulated) -> None:
    answer = sim.grant().json()
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 86_399)
    sim.sim("PATCH", "settings", {"tokenSeconds": 300})
    assert sim.grant().json()["expires_in"] == 300


def test_f05_there_is_no_refresh_token_and_an_assertion_works_twice_or_once(sim: Simulated) -> None:
    first = sim.saml_grant(assertion="c2luZ2xl")
    assert "refresh_token" not in first.json()
    assert sim.saml_grant(assertion="c2luZ2xl").status_code == 200

    sim.sim("PATCH", "settings", {"refuseReplays": True})

    assert sim.saml_grant(assertion="c2luZ2xl").json()["error"] == "invalid_grant"
    assert sim.saml_grant(assertion="b3RoZXI=").status_code == 200


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"orgName": "another"}, "invalid_request"),
        ({"assertion": ""}, "invalid_grant"),
        ({"assertion": "not base64!"}, "invalid_grant"),
    ],
)
def test_f06_every_mistake_is_a_400_with_three_keys(sim: Simulated, changes: dict[str, str], error: str) -> None:
    for refused in (sim.saml_grant(**changes), sim.grant(("simulator-client", "wrong"))):
        assert refused.status_code == 400
        assert set(refused.json()) == {"error", "description", "error_description"}
    assert sim.saml_grant(**changes).json()["error"] == error


@pytest.mark.parametrize(
    ("xml", "word"),
    [
        ("<Response><EncryptedAssertion/></Response>", "encrypted"),
        ("<saml:Response/>", "not signed"),
        ('<Response><SignatureValue/><Conditions NotOnOrAfter="2020-01-01T00:00:00Z"/></Response>', "out of date"),
        ('<Response><SignatureValue/><Conditions NotBefore="2999-01-01T00:00:00Z"/></Response>', "not valid yet"),
    ],
)
def test_f07_a_readable_assertion_is_signed_open_and_in_time(sim: Simulated, xml: str, word: str) -> None:
    refused = sim.saml_grant(assertion=base64.b64encode(xml.encode()).decode())
    assert refused.status_code == 400
    assert word in refused.json()["error_description"]


# --- channels --------------------------------------------------------------------------------------------------


def test_f10_a_channel_is_made_with_200_and_its_id_is_no_uuid(sim: Simulated) -> None:
    reply = sim.api("POST", "notifications/channels")
    assert reply.status_code == 200
    assert set(reply.json()) == {"id", "connectUri", "expires"}
    with pytest.raises(ValueError, match="UUID"):
        uuid.UUID(reply.json()["id"])


def test_f11_the_connect_uri_works_as_given(sim: Simulated) -> None:
    assert sim.socket(sim.channel()).request({"message": "ping"})["eventBody"]["message"] == "pong"


def test_f12_the_21st_channel_removes_an_unconnected_one_first(sim: Simulated) -> None:
    channels = [sim.channel() for _ in range(20)]
    for channel in channels[:3] + channels[4:]:
        sim.socket(channel)
    sim.channel()
    assert sim.sim("GET", "ledger?part=evictions")["evictions"][0]["channel"] == channels[3]["id"]


def test_f12_if_all_are_connected_the_least_recently_used_goes(sim: Simulated) -> None:
    channels = [sim.channel() for _ in range(20)]
    sockets = [sim.socket(channel) for channel in channels]
    sim.subscriptions("POST", channels[0], *some_topics(1))
    sim.channel()
    assert sockets[1].end_reason() == "evicted"
    evicted = sim.sim("GET", "ledger?part=evictions")["evictions"]
    assert [(e["channel"], e["connected"]) for e in evicted] == [(channels[1]["id"], True)]


def test_f12_each_user_and_application_has_its_own_20(sim: Simulated) -> None:
    sim.sim("PATCH", "settings", {"channelLimit": 1})
    mine = sim.channel()
    sim.channel(sim.saml_grant().json()["access_token"])
    assert sim.api("HEAD", f"notifications/channels/{mine['id']}").status_code == 200


def test_f13_lists_hide_the_ids_of_other_tokens_channels(sim: Simulated) -> None:
    mine, _ = sim.channel(), sim.channel(sim.new_token())
    listed = sim.api("GET", "notifications/channels").json()["entities"]
    assert [entity["id"] for entity in listed] == [mine["id"]]
    all_of_them = sim.api("GET", "notifications/channels?includechannels=oauthclient").json()["entities"]
    assert [entity.get("id") for entity in all_of_them] == [mine["id"], None]


def test_f13_head_tells_whether_a_channel_lives_and_none_can_be_deleted(sim: Simulated) -> None:
    path = f"notifications/channels/{sim.channel()['id']}"
    assert sim.api("HEAD", path).status_code == 200
    assert sim.api("HEAD", "notifications/channels/streaming-0-none").status_code == 404
    assert sim.api("DELETE", path).status_code == 405


def test_f14_a_channel_lives_24_hours_and_subscribing_extends_it(sim: Simulated) -> None:
    left, extended = sim.channel(), sim.channel()
    sim.sim("PATCH", "settings", {"tokenSeconds": 172_800})
    sim.sim("POST", "clock", {"advance": 43_200})
    sim.subscriptions("POST", extended, *some_topics(1))
    sim.sim("POST", "clock", {"advance": 43_201})
    token = sim.new_token()
    assert {c["id"] for c in sim.sim("GET", "channels")} == set(), "their token lived only a day"
    assert sim.api("HEAD", f"notifications/channels/{left['id']}", token=token).status_code == 404


def test_f14_an_extended_channel_outlives_its_first_day(sim: Simulated) -> None:
    sim.sim("PATCH", "settings", {"tokenSeconds": 172_800})
    left, extended = sim.channel(), sim.channel()
    sim.sim("POST", "clock", {"advance": 43_200})
    sim.subscriptions("POST", extended, *some_topics(1))
    sim.sim("POST", "clock", {"advance": 43_201})
    assert sim.api("HEAD", f"notifications/channels/{left['id']}").status_code == 404
    assert sim.api("HEAD", f"notifications/channels/{extended['id']}").status_code == 200


def test_f15_a_channel_dies_with_the_token_that_made_it(sim: Simulated) -> None:
    channel = sim.channel()
    opened = sim.socket(channel)
    sim.sim("POST", "clock", {"advance": 86_400})
    assert opened.end_reason() == "its token expired"
    with pytest.raises(websocket.WebSocketBadStatusException):
        sim.socket(channel)


def test_f15_another_token_of_the_same_client_can_not_use_it(sim: Simulated) -> None:
    assert sim.subscriptions("GET", sim.channel(), token=sim.new_token()).status_code == 404


def test_f16_post_adds_put_replaces_delete_empties_get_lists(sim: Simulated) -> None:
    channel, (a, b, c) = sim.channel(), some_topics(3)
    sim.subscriptions("POST", channel, a)
    sim.subscriptions("POST", channel, b)
    assert sim.topics(channel) == {a, b}
    sim.subscriptions("PUT", channel, c)
    assert sim.topics(channel) == {c}
    assert sim.subscriptions("DELETE", channel).status_code == 200
    assert sim.topics(channel) == set()


def test_f16_the_body_is_a_bare_array(sim: Simulated) -> None:
    path = f"notifications/channels/{sim.channel()['id']}/subscriptions"
    assert codes(sim.api("POST", path, json={"topics": []})) == (400, "bad.request")


def test_f17_the_answer_judges_each_topic(sim: Simulated) -> None:
    (topic,) = some_topics(1)
    sim.sim("POST", "faults", {"name": "reject_topics", "topic": topic})
    entity = sim.subscriptions("POST", sim.channel(), topic, ignore=True).json()["entities"][0]
    assert (entity["state"], entity["rejectionReason"]) == ("Rejected", "missing.permissions")
    assert entity["missingPermissions"] == ["analytics:conversationDetail:view"]


def test_f18_one_topic_is_removed_by_put_or_over_the_socket(sim: Simulated) -> None:
    channel, (a, b, c) = sim.channel(), some_topics(3)
    sim.subscriptions("POST", channel, a, b, c)
    sim.subscriptions("PUT", channel, a, b)
    sim.socket(channel).request({"message": "unsubscribe", "topics": [a]})
    assert sim.topics(channel) == {b}


def test_f19_the_1001st_topic_fails_the_whole_call(sim: Simulated) -> None:
    channel, topics = sim.channel(), some_topics(1001)
    assert sim.subscriptions("POST", channel, *topics[:999]).status_code == 200
    refused = sim.subscriptions("POST", channel, *topics[999:], ignore=True)
    assert codes(refused) == (400, "notification.subscription.too.many.subscriptions")
    assert len(sim.topics(channel)) == 999
    assert sim.subscriptions("POST", channel, *topics[998:1000]).status_code == 200, "one is there already"


def test_f20_bad_topics_transports_and_channels_have_their_errors(sim: Simulated) -> None:
    channel = sim.channel()
    assert codes(sim.subscriptions("POST", channel, "v2.nonsense")) == (400, "notification.invalid.topic")
    elsewhere = sim.subscriptions("POST", channel, f"v2.operational.events.{uuid.uuid4()}")
    assert codes(elsewhere) == (400, "notification.transport.not.allowed")
    assert codes(sim.subscriptions("POST", {"id": "none"}, *some_topics(1))) == (404, "not.found")


def test_f21_one_forbidden_topic_fails_the_call_unless_errors_are_ignored(sim: Simulated) -> None:
    channel, (good, bad) = sim.channel(), some_topics(2)
    sim.sim("POST", "faults", {"name": "reject_topics", "topic": bad})
    assert codes(sim.subscriptions("POST", channel, good, bad)) == (403, "missing.permissions")
    assert sim.topics(channel) == set()
    states = [e["state"] for e in sim.subscriptions("POST", channel, good, bad, ignore=True).json()["entities"]]
    assert states == ["Permitted", "Rejected"]
    assert sim.topics(channel) == {good}


def test_f22_available_topics_tell_what_they_need_when_asked(sim: Simulated) -> None:
    bare = sim.api("GET", "notifications/availabletopics").json()["entities"]
    full = sim.api("GET", "notifications/availabletopics?expand=requiresPermissions,transports&expand=enforced").json()[
        "entities"
    ]
    acw = next(entity for entity in full if entity["id"] == "v2.detail.events.conversation.{id}.acw")
    assert acw["requiresPermissions"] == ["analytics:conversationDetail:view"]
    assert {"Websocket"} <= set(acw["transports"])
    assert acw["enforced"] is True
    assert set(bare[0]) == {"id", "description"}
