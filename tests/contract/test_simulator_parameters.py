"""The control API refuses each parameter of a wrong kind in a sentence, never with an error of Python."""

from __future__ import annotations

import re
from typing import Any

import pytest

from genesys_gateway.simulator.actions import ACTIONS
from genesys_gateway.simulator.parameters import PARAMETERS
from tests.doubles.simulator import Simulated

pytest_plugins = ("simulator_fixture",)

ODD: tuple[Any, ...] = (None, True, -1, 1.5, 10**12, "", "odd", [], [1], {}, {"odd": 1})
CALLS = {
    "conversations": ("conversations", *(f"conversations/{{id}}/{play}" for play in ACTIONS)),
    "history": ("history/mode",),
    "channels": tuple(f"channels/all/{deed}" for deed in ("close", "lose-topics", "take-topic", "send")),
}
WITH = {
    "clients": {"id": "one", "secret": "two"},
    "users": {"id": "one", "name": "two"},
    "wrapup-codes": {"id": "one", "name": "two"},
}


@pytest.mark.parametrize("part", PARAMETERS)
def test_no_kind_of_value_ends_in_an_error_of_python(sim: Simulated, part: str) -> None:
    call, channel = sim.call(), sim.channel()
    fault = {"name": "socket_close", "channel": channel["id"]} if part == "faults" else {}
    for path in CALLS.get(part, (part,)):
        for name in PARAMETERS[part]:
            for value in ODD:
                body = {**WITH.get(part, {}), **fault, name: value}
                answer = sim.http("POST", f"/_sim/{path.format(id=call['conversationId'])}", json=body)
                assert answer.status_code < 500, (path, body)
                assert not re.search(r"[A-Z]\w+Error|Traceback", answer.text), (path, body, answer.text)


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("conversations", {"agent": {"name": "Ann"}}, "agent"),
        ("conversations", {"agent": "Ann"}, "agent"),
        ("conversations", {"count": "many"}, "count"),
        ("conversations", {"acw": "false"}, "acw"),
        ("wrapup-all", {"perSecond": 0}, "perSecond"),
        ("history/mode", {"rules": [{"ids": "one"}]}, "ids"),
        ("history/mode", {"rules": "none"}, "rules"),
        ("clients", {"secret": "two"}, "id"),
        ("clients", {"id": "one", "secret": "two", "grant": "password"}, "grant"),
        ("clock", {"speed": "fast"}, "speed"),
        ("faults", {"name": "omit_fields", "fields": 1}, "fields"),
        ("faults", {"name": "lose_events", "count": "some"}, "count"),
    ],
)
def test_the_refusal_names_the_parameter(sim: Simulated, path: str, body: object, name: str) -> None:
    refused = sim.http("POST", f"/_sim/{path}", json=body)
    assert refused.status_code == 400
    assert re.match(rf"{name} is ", refused.json()["error"])


def test_a_fault_that_cannot_be_is_not_on(sim: Simulated) -> None:
    assert sim.http("DELETE", "/_sim/faults/first").status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"paging": "first"},
        {"paging": {"pageSize": "many"}},
        {"paging": {"pageNumber": None}},
        {"conversationFilters": {"type": "or"}},
        {"segmentFilters": [1]},
        {"segmentFilters": [{"predicates": ["agent"]}]},
        {"segmentFilters": [{"clauses": [{"predicates": 1}]}]},
    ],
    ids=repr,
)
def test_a_query_that_cannot_be_read_is_refused_as_genesys_does(sim: Simulated, changes: dict[str, Any]) -> None:
    sim.call()
    query = {"interval": "2020-01-01T00:00:00Z/2040-01-01T00:00:00Z", **changes}
    answer = sim.api("POST", "analytics/conversations/details/query", json=query)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad.request")
