"""The simulated communication history: what it stores, and each of its ways to fail."""

from __future__ import annotations

from typing import Any

import gevent
import pytest
import requests

from tests.doubles.simulator import Simulated

pytest_plugins = ("simulator_fixture",)

RECORDS = "/history/communicationRecords"


def post(sim: Simulated, identity: str = "a", **options: Any) -> requests.Response:
    return sim.http("POST", RECORDS, json={"id": identity}, **options)


def stored(sim: Simulated) -> list[str]:
    return [entry["record"]["id"] for entry in sim.sim("GET", "history")["records"]]


def test_a_record_is_stored_once_with_its_idempotency_key(sim: Simulated) -> None:
    assert [post(sim, headers={"Idempotency-Key": "a"}).status_code for _ in range(2)] == [201, 200]
    history = sim.sim("GET", "history")
    assert [entry["idempotencyKey"] for entry in history["records"]] == ["a"]
    assert len(history["attempts"]) == 2


def test_it_can_answer_repeats_otherwise_or_store_them(sim: Simulated) -> None:
    sim.sim("POST", "history/mode", {"mode": "ok", "repeatStatus": 409})
    assert [post(sim).status_code for _ in range(2)] == [201, 409]
    sim.sim("POST", "history/mode", {"mode": "ok", "deduplicate": False})
    assert post(sim).status_code == 201
    assert stored(sim) == ["a", "a"]


def test_one_record_can_be_looked_up_unless_that_is_switched_off(sim: Simulated) -> None:
    post(sim)
    assert sim.http("GET", f"{RECORDS}/a").json() == {"id": "a"}
    assert sim.http("GET", f"{RECORDS}/b").status_code == 404
    sim.sim("POST", "history/mode", {"lookup": False, "lookupStatus": 501})
    assert sim.http("GET", f"{RECORDS}/a").status_code == 501


@pytest.mark.parametrize("status", [204, 302, 304, 401, 408, 422, 429, 500])
def test_any_status_can_be_told_and_stores_nothing(sim: Simulated, status: int) -> None:
    sim.sim("POST", "history/mode", {"mode": status, "retryAfter": 9, "count": 1})
    refused = post(sim, allow_redirects=False)
    assert (refused.status_code, refused.headers["Retry-After"]) == (status, "9")
    assert stored(sim) == []
    assert post(sim).status_code == 201, "the count is over"


@pytest.mark.parametrize(("mode", "kept"), [("down", []), ("apply_then_reset", ["a"])])
def test_the_connection_can_be_cut_before_or_after_storing(sim: Simulated, mode: str, kept: list[str]) -> None:
    sim.sim("POST", "history/mode", {"mode": mode})
    with pytest.raises(requests.ConnectionError):
        post(sim)
    assert stored(sim) == kept


@pytest.mark.parametrize(("mode", "kept"), [("hang", []), ("apply_then_hang", ["a"])])
def test_it_can_hang_before_or_after_storing(sim: Simulated, mode: str, kept: list[str]) -> None:
    sim.sim("POST", "history/mode", {"mode": mode})
    with pytest.raises(requests.Timeout):
        post(sim, timeout=0.2)
    assert stored(sim) == kept


def test_it_can_store_and_answer_500_or_be_slow(sim: Simulated) -> None:
    sim.sim("POST", "history/mode", {"mode": "apply_then_500"})
    assert post(sim).status_code == 500
    sim.sim("POST", "history/mode", {"mode": "slow", "delaySeconds": 0.1})
    assert post(sim, "b").elapsed.total_seconds() >= 0.1
    assert stored(sim) == ["a", "b"]


def test_a_mode_can_be_limited_to_some_records(sim: Simulated) -> None:
    sim.sim("POST", "history/mode", {"mode": "422", "ids": ["bad"]})
    assert [post(sim, identity).status_code for identity in ("good", "bad")] == [201, 422]


def test_a_mode_can_be_limited_to_conversations_customers_and_texts(sim: Simulated) -> None:
    rules = [
        {"mode": "403", "conversations": ["c-1"]},
        {"mode": "404", "customers": ["m-1"], "count": 1},
        {"mode": "503", "containing": "DROP TABLE", "retryAfter": 300},
        {"mode": "302", "ids": ["moved"]},
    ]
    sim.sim("POST", "history/mode", {"mode": "ok", "rules": rules})

    answers = [
        sim.http("POST", RECORDS, json=record, allow_redirects=False)
        for record in (
            {"id": "a", "interactionId": "c-1", "customerId": "m-1"},
            {"id": "b", "interactionId": "c-2", "customerId": "m-1"},
            {"id": "b", "interactionId": "c-2", "customerId": "m-1"},
            {"id": "c", "body": {"wrapUpNotes": "'; DROP TABLE cards"}},
            {"id": "moved"},
            {"id": "d", "interactionId": "c-2", "customerId": None},
        )
    ]

    assert [one.status_code for one in answers] == [403, 404, 201, 503, 302, 201]
    assert (answers[3].headers["Retry-After"], answers[4].headers["Location"]) == ("300", "/sorry")
    assert stored(sim) == ["b", "d"]


def test_a_rule_with_an_unknown_mode_changes_nothing(sim: Simulated) -> None:
    answer = sim.http("POST", "/_sim/history/mode", json={"mode": "403", "rules": [{"mode": "gone"}]})

    assert answer.status_code == 400
    assert post(sim).status_code == 201


def test_it_can_insist_on_a_bearer_token(sim: Simulated) -> None:
    sim.sim("POST", "history/mode", {"token": "t"})
    assert post(sim).status_code == 401
    assert post(sim, headers={"Authorization": "Bearer t"}).status_code == 201


def test_what_is_no_record_is_422(sim: Simulated) -> None:
    assert [sim.http("POST", RECORDS, data=body).status_code for body in ("{", "[]", "{}")] == [422] * 3


def test_on_a_port_of_its_own_down_means_refused(sim: Simulated) -> None:
    url = f"{sim.service.history_url}/communicationRecords"
    assert sim.http("POST", url, json={"id": "a"}).status_code == 201
    sim.sim("POST", "history/mode", {"mode": "down"})
    with gevent.Timeout(20):
        while sim.service.history_open:
            gevent.sleep(0.01)
    with pytest.raises(requests.ConnectionError, match="refused"):
        sim.http("POST", url, json={"id": "b"})
    sim.sim("POST", "history/mode", {"mode": "ok"})
    with gevent.Timeout(20):
        while not sim.service.history_open:
            gevent.sleep(0.01)
    assert sim.http("POST", url, json={"id": "b"}).status_code == 201
    assert stored(sim) == ["a", "b"]
