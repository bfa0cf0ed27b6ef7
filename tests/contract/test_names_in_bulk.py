"""The bulk calls for names, and what becomes of each id whatever an answer holds."""

from collections.abc import Iterator
from typing import Any

import gevent
import orjson
import pytest
import requests
import requests_mock

from genesys_gateway.genesys.call import BadAnswer
from genesys_gateway.genesys.client import Genesys
from genesys_gateway.genesys.name_cache import NameCache
from genesys_gateway.genesys.rate_limiter import CONNECTIONS, RateLimiter
from genesys_gateway.genesys.tokens import Tokens
from genesys_gateway.runtime.errors import PermanentFailure, TransientFailure
from genesys_gateway.runtime.http_client import HttpClient
from genesys_gateway.runtime.metrics import Metrics
from tests.doubles.channels import PacedClock
from tests.doubles.genesys import API, LOGIN, PLENTY, settings
from tests.doubles.http import MockedHttp
from tests.doubles.names import settle, user, users
from tests.doubles.runtime import FakeClock

USERS, CODES = f"{API}/api/v2/users", f"{API}/api/v2/routing/wrapupcodes"
ONE, TWO, THREE = users(range(3))


class NamesOnMockedHttp:
    """The client and the name cache with all modules below them; requests_mock answers for Genesys."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        metrics, made = Metrics(), settings()
        tokens = Tokens(made, HttpClient(made, LOGIN, self.clock, 1), self.clock, metrics)
        limiter = RateLimiter(made.api_rate_per_minute, self.clock)
        http = HttpClient(made, API, self.clock, CONNECTIONS)
        self.genesys = Genesys(made, http, tokens, limiter, self.clock, metrics)
        self.names = NameCache(self.genesys, self.clock, **PLENTY)

    def answers(self, *ids: str) -> list[Any]:
        """Ask for the names of these agents at once; the name of each, or its error."""
        asking = [gevent.spawn(self.names.agent, one) for one in ids]
        gevent.joinall(asking)
        return [one.value if one.successful() else one.exception for one in asking]


@pytest.fixture(name="http")
def _http() -> Iterator[requests_mock.Mocker]:
    with MockedHttp() as http:
        http.post(f"{LOGIN}/oauth/token", json={"access_token": "token", "expires_in": 86399})
        yield http


def asked(http: requests_mock.Mocker) -> list[str]:
    return [one.url.removeprefix(API) for one in http.request_history if one.url.startswith(API)]


def entities(*items: object) -> dict[str, Any]:
    return {"json": {"entities": list(items), "pageSize": 50, "total": len(items), "pageCount": 1}}


def single(http: requests_mock.Mocker, *ids: str) -> None:
    """Answer the single calls for these ids."""
    for one in ids:
        http.get(f"{USERS}/{one}", json={"id": one, "name": f"alone {one[7]}"})


def test_fifty_are_asked_for_in_one_call_with_a_page_for_all(http: requests_mock.Mocker) -> None:
    ids = users(range(50))
    http.get(USERS, **entities(*({"id": one, "name": "Ana"} for one in ids)))
    http.get(CODES, **entities())
    genesys = NamesOnMockedHttp().genesys

    assert genesys.user_names(ids) == dict.fromkeys(ids, "Ana")
    assert genesys.wrapup_names(ids) == {}

    query = "&".join(f"id={one}" for one in ids) + "&pageSize=50"
    assert asked(http) == [f"/api/v2/users?{query}", f"/api/v2/routing/wrapupcodes?{query}"]
    assert genesys.user_names([]) == {}
    with pytest.raises(ValueError, match="51 ids"):
        genesys.user_names([*ids, user(99)])
    with pytest.raises(PermanentFailure):
        genesys.wrapup_names([ONE, "ININ-WRAP-UP-TIMEOUT"])
    assert len(asked(http)) == 2


@pytest.mark.parametrize(
    ("items", "names"),
    [
        ([{"id": ONE, "name": " Maria Cruz ", "email": "m@bank.test"}], {ONE: "Maria Cruz"}),
        ([{"id": ONE.upper(), "name": "Maria Cruz"}], {ONE: "Maria Cruz"}),
        ([{"id": ONE, "name": None, "state": "deleted"}, {"id": TWO}], {ONE: None, TWO: None}),
        ([{"id": ONE, "name": 7}, {"id": TWO, "name": {"first": "Ana"}}], {ONE: None, TWO: None}),
        ([{"id": ONE, "name": "M" * 20_000}], {ONE: "M" * 10_000}),
        ([{"id": THREE, "name": "somebody else"}, {"id": TWO, "name": "Ana"}], {TWO: "Ana"}),
        (
            [{"id": ONE, "name": "Ana"}, {"id": ONE, "name": "Ana"}, {"id": TWO, "name": "Ben"}],
            {ONE: "Ana", TWO: "Ben"},
        ),
        ([{"id": ONE, "name": "Ana"}, {"id": ONE, "name": "Eve"}, {"id": TWO, "name": "Ben"}], {TWO: "Ben"}),
        ([{"id": ONE, "name": "Ana"}, {"id": ONE, "name": None}, {"id": TWO, "name": "Ben"}], {TWO: "Ben"}),
        ([None, 7, "x", [], {}, {"id": 7, "name": "Ana"}, {"id": TWO, "name": "Ben"}], {TWO: "Ben"}),
        ([{"id": None, "name": "Ana"}, {"id": "../..", "name": "Ana"}, {"name": "Ana"}], {}),
        ([], {}),
    ],
)
def test_an_entity_costs_at_most_its_own_id(
    http: requests_mock.Mocker, items: list[Any], names: dict[str, str | None]
) -> None:
    http.get(USERS, **entities(*items))

    assert NamesOnMockedHttp().genesys.user_names([ONE, TWO]) == names


@pytest.mark.parametrize("odd", [rb"\ud83d", b"\xff", rb"\u0000", b"\x00"])
def test_odd_text_costs_no_other_name(http: requests_mock.Mocker, odd: bytes) -> None:
    body = b'{"entities": [{"id": "%s", "name": "Maria %s"}, {"id": "%s", "name": "Ben"}]}'
    http.get(USERS, content=body % (ONE.encode(), odd, TWO.encode()))

    assert NamesOnMockedHttp().genesys.user_names([ONE, TWO]) == {ONE: "Maria \ufffd", TWO: "Ben"}


@pytest.mark.parametrize("listed", [None, {}, "x", 7])
def test_an_answer_without_a_list_proves_nothing(http: requests_mock.Mocker, listed: object) -> None:
    http.get(USERS, json={"entities": listed})
    http.get(CODES, json={})
    genesys = NamesOnMockedHttp().genesys

    with pytest.raises(BadAnswer):
        genesys.user_names([ONE])
    with pytest.raises(BadAnswer):
        genesys.wrapup_names([ONE])


def test_what_a_bulk_answer_leaves_out_is_asked_for_alone(http: requests_mock.Mocker) -> None:
    http.get(USERS, **entities({"id": TWO, "name": "Ben"}, {"id": user(7), "name": "somebody else"}))
    single(http, ONE)
    http.get(f"{USERS}/{THREE}", status_code=404)

    assert NamesOnMockedHttp().answers(ONE, TWO, THREE) == ["alone 0", "Ben", None]
    assert len(asked(http)) == 3


@pytest.mark.parametrize(
    "answer",
    [
        {"status_code": 400},
        {"status_code": 403},
        {"status_code": 404},
        {"status_code": 409},
        {"status_code": 500},
        {"text": "no JSON"},
        {"json": {"entities": None}},
        {"exc": requests.ReadTimeout},
    ],
)
def test_whatever_becomes_of_a_bulk_call_its_names_are_found_one_by_one(
    http: requests_mock.Mocker, answer: dict[str, Any]
) -> None:
    http.get(USERS, **answer)
    ids = users(range(5))
    single(http, *ids)

    assert NamesOnMockedHttp().answers(*ids) == [f"alone {n}" for n in range(5)]


def test_after_429_nothing_goes_out_before_the_time_is_over_and_then_all_go_together(
    http: requests_mock.Mocker,
) -> None:
    on_http = NamesOnMockedHttp(PacedClock())
    named = entities(*({"id": one, "name": "Ana"} for one in (ONE, TWO)))
    http.get(USERS, [{"status_code": 429, "headers": {"Retry-After": "9"}}, named])
    told = on_http.answers(ONE, TWO)
    assert [one.retry_after for one in told if isinstance(one, TransientFailure)] == [9.0, 9.0]

    asking = [gevent.spawn(on_http.names.agent, one) for one in (ONE, TWO)]
    settle()
    on_http.clock.advance(8.9)
    settle()
    assert len(asked(http)) == 1
    on_http.clock.advance(0.1)
    gevent.joinall(asking)

    assert [one.value for one in asking] == ["Ana", "Ana"]
    assert len(asked(http)) == 2


def large(size: int) -> bytes:
    """A bulk answer of that many bytes in which the first of two users is the reason for its size."""
    text = {"entities": [{"id": ONE, "name": "Ana", "notes": ["x" * 100] * (size // 100)}, {"id": TWO, "name": "Ben"}]}
    return orjson.dumps(text)


def test_a_large_answer_is_read(http: requests_mock.Mocker) -> None:
    http.get(USERS, content=large(2_000_000))

    assert NamesOnMockedHttp().genesys.user_names([ONE, TWO]) == {ONE: "Ana", TWO: "Ben"}
