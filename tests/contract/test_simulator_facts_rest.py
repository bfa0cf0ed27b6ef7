"""The simulator behaves as Genesys does: tests by the number of the fact, for REST, limits and errors."""

from __future__ import annotations

import uuid
from typing import Any

from tests.doubles.simulator import Simulated

pytest_plugins = ("simulator_fixture",)


def wrapup_segments(details: Any) -> list[Any]:
    return [
        segment
        for participant in details["participants"]
        for session in participant["sessions"]
        for segment in session["segments"]
        if segment["segmentType"] == "wrapup"
    ]


def test_f45_a_code_can_be_picked_while_the_agent_is_on_the_line(sim: Simulated) -> None:
    sim.sim("PATCH", "settings", {"analyticsLagSeconds": 0})
    conversation = sim.call()
    _, opened = sim.listening(conversation)
    sim.play(conversation, "code", code="K")
    (agent,) = sim.agents_of(conversation)
    assert (agent["wrapup"]["code"], agent["calls"][0]["state"]) == ("K", "connected")
    details = sim.analytics_of(conversation).json()
    assert [segment["wrapUpCode"] for segment in wrapup_segments(details)] == ["K"]
    talk = details["participants"][1]["sessions"][0]["segments"][0]
    assert (talk["segmentType"], "segmentEnd" in talk) == ("interact", False)
    assert opened.receives_nothing(), "it is no end of after-call work"

    sim.play(conversation, "wrapup", code="L", notes="n")
    assert (opened.event()["wrapupCode"], sim.agents_of(conversation)[0]["wrapup"]["notes"]) == ("L", "n")
    assert [segment["wrapUpCode"] for segment in wrapup_segments(sim.analytics_of(conversation).json())] == ["K", "L"]


def test_f46_a_leg_shows_its_state_until_it_has_ended(sim: Simulated) -> None:
    conversation = sim.call()
    leg = sim.agents_of(conversation)[0]["calls"][0]
    assert (leg["state"], leg["held"]) == ("connected", False)
    assert leg["peerId"] == sim.rest_of(conversation)["participants"][0]["calls"][0]["id"]
    sim.play(conversation, "leg", state="alerting", held=True)
    leg = sim.agents_of(conversation)[0]["calls"][0]
    assert (leg["state"], leg["held"], "disconnectedTime" in leg) == ("alerting", True, False)
    sim.play(conversation, "end")
    leg = sim.agents_of(conversation)[0]["calls"][0]
    assert (leg["state"], leg["held"], "disconnectedTime" in leg) == ("disconnected", False, True)


def test_f47_an_after_call_work_can_have_several_segments(sim: Simulated) -> None:
    sim.sim("PATCH", "settings", {"analyticsLagSeconds": 0})
    conversation = sim.call()
    sim.play(conversation, "wrapup", code="K", notes="n", durationMs=3000, segments=3)
    details = sim.analytics_of(conversation).json()
    first, second, third = wrapup_segments(details)
    assert (first["wrapUpCode"], first["wrapUpNote"]) == ("K", "n")
    assert "wrapUpCode" not in second
    assert (first["segmentEnd"], second["segmentEnd"]) == (second["segmentStart"], third["segmentStart"])
    assert [metric["value"] for metric in details["participants"][1]["sessions"][0]["metrics"]] == [3000]


def test_f47_a_session_can_be_wrapped_up_again(sim: Simulated) -> None:
    sim.sim("PATCH", "settings", {"analyticsLagSeconds": 0})
    conversation = sim.call(mediaType="MESSAGE")
    sim.play(conversation, "wrapup", code="K")
    sim.play(conversation, "end")
    sim.play(conversation, "resume")
    leg = sim.agents_of(conversation)[0]["messages"][0]
    assert (leg["state"], leg["wrapup"]["code"], leg["id"]) == ("connected", "K", conversation["sessionId"])
    sim.play(conversation, "end")
    sim.play(conversation, "wrapup", code="L")
    details = sim.analytics_of(conversation).json()
    (session,) = details["participants"][1]["sessions"]
    assert [segment["wrapUpCode"] for segment in wrapup_segments(details)] == ["K", "L"]
    assert [segment["segmentType"] for segment in session["segments"]].count("interact") == 2
    assert len(session["metrics"]) == 2


def test_f48_a_call_dialled_for_the_agent_is_outbound_for_the_customer_only(sim: Simulated) -> None:
    sim.sim("PATCH", "settings", {"analyticsLagSeconds": 0})
    conversation = sim.call(direction="OUTBOUND", agentDirection="INBOUND", customerPurpose="external")
    sim.play(conversation, "third", number="tel:+639990001111")
    customer, third, agent = sim.rest_of(conversation)["participants"]
    assert (customer["purpose"], customer["calls"][0]["direction"]) == ("external", "outbound")
    assert (third["purpose"], third["dnis"]) == ("external", "tel:+639990001111")
    assert (agent["calls"][0]["direction"], agent["dnis"][:4]) == ("inbound", "sip:")
    details = sim.analytics_of(conversation).json()
    directions = [participant["sessions"][0]["direction"] for participant in details["participants"]]
    assert (details["originatingDirection"], directions) == ("outbound", ["outbound", "outbound", "inbound"])


def test_f49_the_customers_address_is_where_its_medium_has_it(sim: Simulated) -> None:
    ends = {"addressFrom": "c@example.org", "addressTo": "b@example.org"}
    message = sim.rest_of(sim.call(mediaType="MESSAGE", **ends))["participants"][0]["messages"][0]
    email = sim.rest_of(sim.call(mediaType="EMAIL", direction="OUTBOUND", **ends))["participants"][0]
    assert (message["fromAddress"]["addressNormalized"], message["type"]) == ("c@example.org", "unknown")
    assert (email["address"], "fromAddress" in email["emails"][0]) == ("b@example.org", False)


def test_f50_a_conversation_lists_participants_and_their_after_call_work(sim: Simulated) -> None:
    media = {"VOICE": "calls", "CHAT": "chats", "EMAIL": "emails", "MESSAGE": "messages", "CALLBACK": "callbacks"}
    for medium, name in media.items():
        conversation = sim.call(mediaType=medium)
        sim.play(conversation, "wrapup", notes="n")
        agent = sim.agents_of(conversation)[0]
        assert agent[name][0]["afterCallWork"]["state"] == "complete"
        assert agent["wrapup"]["notes"] == "n"
        assert {"startAcwTime", "endAcwTime", "wrapupRequired", "userId"} <= set(agent)


def test_f50_skipped_after_call_work_is_told_and_never_announced(sim: Simulated) -> None:
    conversation = sim.call()
    _, opened = sim.listening(conversation)
    sim.play(conversation, "skip")
    agent = sim.agents_of(conversation)[0]
    assert (agent["wrapupSkipped"], agent["calls"][0]["afterCallWork"]["state"]) == (True, "skipped")
    assert opened.receives_nothing()
    assert sim.sim("GET", "balance")["expected"] == 0


def test_f50_reading_a_conversation_needs_its_permission(sim: Simulated) -> None:
    conversation = sim.call()
    sim.sim("POST", "clients", {"id": "c", "secret": "s", "missing": ["conversation:communication:view"]})
    path = f"conversations/{conversation['conversationId']}"
    assert sim.api("GET", path, token=sim.new_token(("c", "s"))).status_code == 403
    assert sim.api("GET", f"conversations/{uuid.uuid4()}").status_code == 404


def test_f51_a_provisional_wrapup_is_a_draft(sim: Simulated) -> None:
    conversation = sim.call()
    sim.play(conversation, "draft", notes="half")
    agent = sim.agents_of(conversation)[0]
    assert agent["wrapup"]["provisional"] is True
    assert agent["calls"][0]["afterCallWork"]["state"] == "pending"
    sim.play(conversation, "wrapup")
    assert sim.agents_of(conversation)[0]["wrapup"]["provisional"] is False


def test_f52_only_a_conversation_that_is_over_has_an_end(sim: Simulated) -> None:
    conversation = sim.call()
    assert "endTime" not in sim.rest_of(conversation)
    sim.play(conversation, "end")
    assert "endTime" in sim.rest_of(conversation)


def test_f53_analytics_answer_one_many_and_by_query(sim: Simulated) -> None:
    sim.sim("PATCH", "settings", {"analyticsLagSeconds": 0})
    first, second = sim.call(), sim.call()
    ids = [first["conversationId"], second["conversationId"], str(uuid.uuid4())]
    assert sim.analytics_of(first).json()["conversationId"] == ids[0]
    many = sim.api("GET", "analytics/conversations/details", params={"id": ids}).json()["conversations"]
    assert [details["conversationId"] for details in many] == ids[:2]
    query = {
        "interval": "2020-01-01T00:00:00.000Z/2999-01-01T00:00:00.000Z",
        "conversationFilters": [{"type": "or", "predicates": [{"dimension": "conversationId", "value": ids[1]}]}],
    }
    found = sim.api("POST", "analytics/conversations/details/query", json=query).json()
    assert (found["totalHits"], found["conversations"][0]["conversationId"]) == (1, ids[1])


def test_f53_analytics_need_their_permission_and_at_most_50_ids(sim: Simulated) -> None:
    sim.sim("POST", "clients", {"id": "c", "secret": "s", "missing": ["analytics:conversationDetail:view"]})
    path = "analytics/conversations/details"
    ids = [str(uuid.uuid4()) for _ in range(51)]
    assert sim.api("GET", path, params={"id": ids[:50]}).json() == {"conversations": []}
    assert sim.api("GET", path, params={"id": ids}).status_code == 400
    assert sim.api("GET", path, params={"id": ids[:1]}, token=sim.new_token(("c", "s"))).status_code == 403


def test_f54_the_wrapup_segment_has_an_end_only_when_the_work_is_done(sim: Simulated) -> None:
    sim.sim("PATCH", "settings", {"analyticsLagSeconds": 0})
    conversation = sim.call()
    sim.play(conversation, "end")
    (pending,) = wrapup_segments(sim.analytics_of(conversation).json())
    assert "segmentEnd" not in pending
    sim.play(conversation, "wrapup", durationMs=1234)
    details = sim.analytics_of(conversation).json()
    (done,) = wrapup_segments(details)
    assert done["segmentEnd"] >= done["segmentStart"]
    assert details["participants"][1]["sessions"][0]["metrics"][0]["value"] == 1234


def test_f55_analytics_have_other_names_and_lower_case(sim: Simulated) -> None:
    sim.sim("PATCH", "settings", {"analyticsLagSeconds": 0})
    conversation = sim.call(mediaType="MESSAGE", messageType="WEBMESSAGING")
    sim.play(conversation, "wrapup", notes="n")
    details = sim.analytics_of(conversation).json()
    session = details["participants"][1]["sessions"][0]
    assert (session["mediaType"], session["messageType"], session["direction"]) == (
        "message",
        "webmessaging",
        "inbound",
    )
    (segment,) = wrapup_segments(details)
    assert segment["wrapUpNote"] == "n"
    assert "wrapUpCode" in segment


def test_f56_analytics_lag_behind_and_are_corrected_later(sim: Simulated) -> None:
    sim.sim("PATCH", "settings", {"analyticsLagSeconds": 100})
    conversation = sim.call()
    assert sim.analytics_of(conversation).status_code == 404
    sim.sim("POST", "clock", {"advance": 100})
    sim.play(conversation, "wrapup", code="A")
    assert wrapup_segments(sim.analytics_of(conversation).json()) == []
    sim.play(conversation, "correct", code="B")
    sim.sim("POST", "clock", {"advance": 100})
    assert wrapup_segments(sim.analytics_of(conversation).json())[0]["wrapUpCode"] == "B"
    assert sim.agents_of(conversation)[0]["wrapup"]["code"] == "A"


def test_f57_names_are_told_and_system_codes_have_none(sim: Simulated) -> None:
    conversation = sim.call(agent={"userId": "11111111-1111-4111-8111-111111111111", "name": "Ana"})
    code = sim.play(conversation, "wrapup")["event"]["eventBody"]["wrapupCode"]
    assert sim.api("GET", f"users/{conversation['userId']}").json()["name"] == "Ana"
    assert sim.api("GET", f"routing/wrapupcodes/{code}").json()["name"] == "Billing question"
    assert sim.api("GET", "routing/wrapupcodes/ININ-WRAP-UP-TIMEOUT").status_code == 404
    assert sim.api("GET", f"users/{uuid.uuid4()}").status_code == 404


def test_f57_names_can_be_added(sim: Simulated) -> None:
    code, user = str(uuid.uuid4()), str(uuid.uuid4())
    sim.sim("POST", "wrapup-codes", {"id": code, "name": "Complaint"})
    sim.sim("POST", "users", {"id": user, "name": "Ben"})
    assert sim.api("GET", f"routing/wrapupcodes/{code}").json()["name"] == "Complaint"
    assert sim.api("GET", f"users/{user}").json()["name"] == "Ben"


def test_f57_the_name_of_a_deleted_user_or_code_is_null(sim: Simulated) -> None:
    code, user = str(uuid.uuid4()), str(uuid.uuid4())
    sim.sim("POST", "wrapup-codes", {"id": code, "name": None})
    sim.sim("POST", "users", {"id": user, "name": None})

    told = sim.api("GET", f"users/{user}").json()
    assert (told["id"], told["name"], told["state"]) == (user, None, "deleted")
    assert sim.api("GET", f"routing/wrapupcodes/{code}").json()["name"] is None


def test_f64_users_come_in_bulk_and_unknown_ones_are_missing(sim: Simulated) -> None:
    sim.sim("POST", "clients", {"id": "c", "secret": "s", "missing": ["routing:wrapupCode:view"]})
    ids = [str(uuid.uuid4()) for _ in range(30)]
    for user in ids[:28]:
        sim.sim("POST", "users", {"id": user, "name": "Ana"})
    sim.sim("POST", "users", {"id": ids[28], "name": None})
    token = sim.new_token(("c", "s"))

    page = sim.api("GET", "users", params={"id": ids}, token=token).json()
    assert [one["id"] for one in page["entities"]] == ids[:25]
    assert (page["pageSize"], page["pageNumber"], page["pageCount"], page["total"]) == (25, 1, 2, 29)
    rest = sim.api("GET", "users", params={"id": ids, "pageNumber": 2}).json()["entities"]
    assert [one["id"] for one in rest] == ids[25:29], "the unknown one is missing"
    assert (rest[0]["name"], rest[3]["name"], rest[3]["state"]) == ("Ana", None, "deleted")


def test_f64_a_page_has_at_most_500_users(sim: Simulated) -> None:
    everybody = sim.api("GET", "users", params={"pageSize": 500}).json()
    assert everybody["total"] == len(everybody["entities"]) == 2
    for wrong in ({"pageSize": 501}, {"pageSize": 0}, {"pageNumber": "x"}):
        assert sim.api("GET", "users", params=wrong).status_code == 400


def test_f65_wrapup_codes_are_listed_in_pages_or_by_id(sim: Simulated) -> None:
    sim.sim("POST", "clients", {"id": "c", "secret": "s", "missing": ["routing:wrapupCode:view"]})
    code, deleted = str(uuid.uuid4()), str(uuid.uuid4())
    sim.sim("POST", "wrapup-codes", {"id": code, "name": "Complaint"})
    sim.sim("POST", "wrapup-codes", {"id": deleted, "name": None})
    path = "routing/wrapupcodes"

    assert sim.api("GET", path, params={"pageSize": 1}).json()["pageCount"] == 3
    asked = {"id": [code, deleted, "ININ-WRAP-UP-TIMEOUT"], "pageSize": 50}
    entities = sim.api("GET", path, params=asked).json()["entities"]
    assert [(one["id"], one["name"]) for one in entities] == [(code, "Complaint"), (deleted, None)]
    assert sim.api("GET", path, token=sim.new_token(("c", "s"))).status_code == 403


def test_f58_the_301st_call_of_a_minute_is_429_with_retry_after(sim: Simulated) -> None:
    for number in range(1, 301):
        reply = sim.api("HEAD", "tokens/me")
        assert (reply.status_code, reply.headers["inin-ratelimit-count"]) == (200, str(number))
    refused = sim.api("GET", "tokens/me")
    assert (refused.status_code, refused.json()["code"]) == (429, "too.many.requests")
    assert refused.headers["inin-ratelimit-allowed"] == "300"
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert sim.api("GET", "tokens/me", token=sim.new_token()).status_code == 200, "each token has its own minute"
    sim.sim("POST", "clock", {"advance": 60})
    assert sim.api("GET", "tokens/me").status_code == 200


def test_f59_and_f60_errors_have_genesys_shape_and_a_request_id(sim: Simulated) -> None:
    for refused, status in (
        (sim.http("GET", "/api/v2/tokens/me"), 401),
        (sim.http("GET", "/api/v2/tokens/me", headers={"Authorization": "Bearer wrong"}), 401),
        (sim.api("GET", "nothing/here"), 404),
    ):
        body = refused.json()
        assert set(body) == {"message", "code", "status", "contextId", "details", "errors"}
        assert (refused.status_code, body["status"]) == (status, status)
        assert refused.headers["ININ-Correlation-Id"] == body["contextId"]


def test_f62_a_token_tells_about_itself_and_can_be_revoked(sim: Simulated) -> None:
    info = sim.api("GET", "tokens/me").json()
    assert (info["organization"]["name"], info["OAuthClient"]["id"]) == ("simulator-org", "simulator-client")
    assert sim.api("HEAD", "tokens/me").status_code == 200
    assert sim.api("DELETE", "tokens/me").status_code == 200
    assert sim.api("HEAD", "tokens/me").status_code == 401
