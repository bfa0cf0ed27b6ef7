"""The calls that go to Genesys Cloud, and the value or error that each answer becomes."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import gevent
import pytest
import requests
import requests_mock
import structlog

from genesys_gateway.genesys.call import BadAnswer
from genesys_gateway.genesys.client import (
    ChannelGrant,
    Forbidden,
    Genesys,
    NotFound,
    TokenDead,
    TooManyTopics,
    TopicResult,
)
from genesys_gateway.genesys.name_cache import NameCache
from genesys_gateway.genesys.rate_limiter import CONNECTIONS, RateLimiter
from genesys_gateway.genesys.tokens import Token, Tokens
from genesys_gateway.runtime.errors import NoReply, NotSent, PermanentFailure, TransientFailure
from genesys_gateway.runtime.http_client import HttpClient
from genesys_gateway.runtime.metrics import Metrics
from tests.doubles.channels import PacedClock
from tests.doubles.genesys import API, LOGIN, PLENTY, settings
from tests.doubles.http import MockedHttp
from tests.doubles.runtime import FakeClock, until

CHANNEL = "streaming-0-abc123"
CHANNELS = f"{API}/api/v2/notifications/channels"
LIST = f"{CHANNELS}/{CHANNEL}/subscriptions"
CONVERSATION = "1b4e28ba-2fa1-41d2-883f-0016d3cca427"
USER = "8d7f1c52-9c4f-4a4e-8a5b-1f5b6f0a2c11"
TOPIC = f"v2.detail.events.conversation.{CONVERSATION}.acw"
#: the token that created the channel
OWN = Token(value="own", issued_at=0, expires_at=1)


class ClientOnMockedHttp:
    """The client with all modules below it; requests_mock answers for Genesys."""

    def __init__(self, clock: FakeClock | None = None, **changes: Any) -> None:
        self.clock = clock or FakeClock()
        self.metrics = Metrics()
        made = settings(**changes)
        self.tokens = Tokens(made, HttpClient(made, LOGIN, self.clock, 1), self.clock, self.metrics)
        self.limiter = RateLimiter(made.api_rate_per_minute, self.clock)
        http = HttpClient(made, API, self.clock, CONNECTIONS)
        self.genesys = Genesys(made, http, self.tokens, self.limiter, self.clock, self.metrics)

    def outcomes(self) -> dict[tuple[str, str], float]:
        """Calls by operation and outcome."""
        return {
            (sample.labels["operation"], sample.labels["outcome"]): sample.value
            for metric in self.metrics.genesys_requests.collect()
            for sample in metric.samples
            if sample.value
        }


@pytest.fixture(name="http")
def _http() -> Iterator[requests_mock.Mocker]:
    with MockedHttp() as http:
        tokens = [{"json": {"access_token": f"token-{n}", "expires_in": 86399}} for n in range(1, 9)]
        http.post(f"{LOGIN}/oauth/token", tokens)
        yield http


def calls(http: requests_mock.Mocker) -> list[str]:
    return [f"{one.method} {one.url}" for one in http.request_history if one.url.startswith(API)]


def error(status: int, code: str = "some.code", **more: Any) -> dict[str, Any]:
    body = {"message": "Maria Cruz may not", "code": code, "status": status, "contextId": "c", "details": []}
    return {"status_code": status, "json": body, **more}


def every_operation(genesys: Genesys) -> dict[str, tuple[str, str, Callable[[], object]]]:
    """Name in the metric: method, address and call."""
    conversations = f"{API}/api/v2/conversations/{CONVERSATION}"
    details = f"{API}/api/v2/analytics/conversations/details"
    return {
        "create_channel": ("POST", CHANNELS, genesys.create_channel),
        "count_channels": ("GET", CHANNELS, genesys.count_channels),
        "list_topics": ("GET", LIST, lambda: genesys.topics(CHANNEL, OWN)),
        "add_topics": ("POST", LIST, lambda: genesys.add_topics(CHANNEL, OWN, [TOPIC])),
        "replace_topics": ("PUT", LIST, lambda: genesys.replace_topics(CHANNEL, OWN, [TOPIC])),
        "clear_topics": ("DELETE", LIST, lambda: genesys.clear_topics(CHANNEL, OWN)),
        "conversation": ("GET", conversations, lambda: genesys.conversation(CONVERSATION)),
        "conversation_details": ("GET", details, lambda: genesys.conversation_details([CONVERSATION])),
        "user_name": ("GET", f"{API}/api/v2/users/{USER}", lambda: genesys.user_name(USER)),
        "user_names": ("GET", f"{API}/api/v2/users", lambda: genesys.user_names([USER])),
        "wrapup_names": ("GET", f"{API}/api/v2/routing/wrapupcodes", lambda: genesys.wrapup_names([USER])),
        "wrapup_name": ("GET", f"{API}/api/v2/routing/wrapupcodes/abc", lambda: genesys.wrapup_name("abc")),
    }


OPERATIONS = list(every_operation(ClientOnMockedHttp().genesys))
ON_A_CHANNEL = ["list_topics", "add_topics", "replace_topics", "clear_topics"]
ANSWERED = [one for one in OPERATIONS if one != "clear_topics"]


def _call_once(call: Callable[[str], object], argument: str) -> None:
    """Make the call, and ignore a transient failure."""
    with suppress(TransientFailure):
        call(argument)


def answering(
    http: requests_mock.Mocker, client: ClientOnMockedHttp, operation: str, *answers: Any
) -> Callable[[], object]:
    """Make Genesys give these answers to the operation, and return the call."""
    method, url, call = every_operation(client.genesys)[operation]
    http.register_uri(method, url, list(answers))
    return call


def test_a_channel_is_made_with_the_present_token_which_stays_its_own(http: requests_mock.Mocker) -> None:
    client = ClientOnMockedHttp()
    uri = f"wss://streaming.genesys.test/channels/{CHANNEL}"
    http.post(CHANNELS, json={"connectUri": uri, "id": CHANNEL, "expires": "2025-11-23T10:00:00.000Z", "new": 1})

    grant = client.genesys.create_channel()

    token = client.tokens.current()
    assert grant == ChannelGrant(id=CHANNEL, connect_uri=uri, expires_at=1_763_892_000_000, token=token)
    sent = http.request_history[-1]
    assert sent.body is None
    assert sent.headers["Authorization"] == "Bearer token-1"


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "../../users"},
        {"id": "a/b"},
        {"id": ""},
        {"id": 7},
        {"id": None},
        {"connectUri": ""},
        {"connectUri": None},
        {"expires": "soon"},
        {"expires": "2025-11-23T10:00:00"},
    ],
)
def test_a_channel_that_can_not_be_used_is_no_channel(http: requests_mock.Mocker, wrong: dict[str, Any]) -> None:
    answer = {"connectUri": "wss://x/y", "id": CHANNEL, "expires": "2025-11-23T10:00:00Z"} | wrong
    http.post(CHANNELS, json=answer)

    with pytest.raises(BadAnswer):
        ClientOnMockedHttp().genesys.create_channel()


def test_a_channel_that_has_expired_already_hints_at_a_wrong_clock(http: requests_mock.Mocker) -> None:
    http.post(CHANNELS, json={"connectUri": "wss://x/y", "id": CHANNEL, "expires": "2020-11-23T10:00:00Z"})

    with structlog.testing.capture_logs() as lines:
        ClientOnMockedHttp().genesys.create_channel()

    assert "channel_life_implausible" in [line["event"] for line in lines]


def test_channels_of_other_tokens_are_counted_too(http: requests_mock.Mocker) -> None:
    http.get(f"{CHANNELS}?includechannels=oauthclient", json={"entities": [{}, {"id": CHANNEL}, {"connectUri": None}]})

    assert ClientOnMockedHttp().genesys.count_channels() == 3


@pytest.mark.parametrize(("operation", "method"), [("add_topics", "POST"), ("replace_topics", "PUT")])
def test_topics_are_sent_as_a_bare_array_and_answered_one_by_one(
    http: requests_mock.Mocker, operation: str, method: str
) -> None:
    entities = [
        {"id": "a", "state": "Permitted", "selfUri": "/x"},
        {"id": "b", "state": "Rejected", "rejectionReason": "no\nway " + "x" * 1000, "missingPermissions": ["p"]},
        {"id": "c", "state": "Rejected", "rejectionReason": {"strange": True}},
        {"id": "d"},
    ]
    http.register_uri(method, LIST, json={"entities": entities})

    change = getattr(ClientOnMockedHttp().genesys, operation)
    results = change(CHANNEL, OWN, ["a", "b", "c", "d"])

    assert results == (
        TopicResult(topic="a", permitted=True),
        TopicResult(topic="b", permitted=False, reason=results[1].reason),
        TopicResult(topic="c", permitted=False),
        TopicResult(topic="d", permitted=True),
    )
    assert results[1].reason.startswith("no way xxx")
    assert len(results[1].reason) <= 200
    sent = http.request_history[-1]
    assert sent.url == f"{LIST}?ignoreErrors=true"
    assert sent.text == '[{"id":"a"},{"id":"b"},{"id":"c"},{"id":"d"}]'
    assert sent.headers["Authorization"] == "Bearer own"
    assert len(http.request_history) == 1  # no other token was needed


def test_the_list_of_topics_holds_those_that_are_on_it(http: requests_mock.Mocker) -> None:
    http.get(
        LIST, json={"entities": [{"id": "a"}, {"id": "b", "state": "Permitted"}, {"id": "c", "state": "Rejected"}]}
    )

    assert ClientOnMockedHttp().genesys.topics(CHANNEL, OWN) == {"a", "b"}


@pytest.mark.parametrize("status", [200, 204])
def test_a_list_is_cleared_by_delete(http: requests_mock.Mocker, status: int) -> None:
    http.delete(LIST, status_code=status)

    ClientOnMockedHttp().genesys.clear_topics(CHANNEL, OWN)

    assert calls(http) == [f"DELETE {LIST}"]


def test_a_list_that_would_be_too_long_has_its_own_error(http: requests_mock.Mocker) -> None:
    http.post(LIST, **error(400, "notification.subscription.too.many.subscriptions"))

    with pytest.raises(TooManyTopics):
        ClientOnMockedHttp().genesys.add_topics(CHANNEL, OWN, [TOPIC])


def test_a_conversation_is_read(http: requests_mock.Mocker) -> None:
    answer = {"id": CONVERSATION, "endTime": "2025-11-22T10:00:00Z", "participants": [{"id": "p"}]}
    http.get(f"{API}/api/v2/conversations/{CONVERSATION}", json=answer)

    conversation = ClientOnMockedHttp().genesys.conversation(CONVERSATION)

    assert (conversation.id, conversation.ended) == (CONVERSATION, True)


def test_analytics_are_believed_about_the_conversations_asked_for_only(http: requests_mock.Mocker) -> None:
    other = "00000000-2fa1-41d2-883f-0016d3cca427"
    answer = {"conversations": [{"conversationId": one} for one in (CONVERSATION.upper(), other)]}
    http.get(f"{API}/api/v2/analytics/conversations/details", json=answer)

    shown = ClientOnMockedHttp().genesys.conversation_details([CONVERSATION])

    assert [one.conversation_id for one in shown] == [CONVERSATION]


def test_fifty_conversations_are_asked_for_in_one_call(http: requests_mock.Mocker) -> None:
    details = f"{API}/api/v2/analytics/conversations/details"
    http.get(details, json={"conversations": []})
    ids = [f"{n:08d}-2fa1-41d2-883f-0016d3cca427" for n in range(50)]
    genesys = ClientOnMockedHttp().genesys

    assert genesys.conversation_details(ids) == ()

    assert calls(http) == [f"GET {details}?" + "&".join(f"id={one}" for one in ids)]
    assert genesys.conversation_details([]) == ()
    assert len(calls(http)) == 1
    with pytest.raises(ValueError, match="51 ids"):
        genesys.conversation_details([*ids, CONVERSATION])


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ({"json": {"name": " Maria Cruz ", "email": "m@bank.test"}}, "Maria Cruz"),
        ({"json": {"name": ""}}, None),
        ({"json": {"name": None}}, None),
        ({"json": {"id": USER, "name": None, "state": "deleted"}}, None),
        ({"json": {"id": USER, "name": "Maria Cruz", "state": "deleted"}}, "Maria Cruz"),
        ({"json": {"name": " \t\u3000\n "}}, None),
        ({"json": {"name": 7}}, None),
        ({"json": {"name": False}}, None),
        ({"json": {"name": ["Maria", "Cruz"]}}, None),
        ({"json": {"name": {"first": "Maria"}}}, None),
        ({"json": {"name": "Maria\u0000\u0007\tCruz \u202e\U0001f600"}}, "Maria\ufffd\u0007\tCruz \u202e\U0001f600"),
        ({"json": {"name": "M" * 20_000}}, "M" * 10_000),
        ({"json": {}}, None),
        (error(404), None),
        (error(403), None),
    ],
)
@pytest.mark.parametrize("operation", ["user_name", "wrapup_name"])
def test_a_name_is_returned_or_there_is_none(
    http: requests_mock.Mocker, operation: str, answer: dict[str, Any], name: str | None
) -> None:
    assert answering(http, ClientOnMockedHttp(), operation, answer)() == name


@pytest.mark.parametrize("operation", ["user_name", "wrapup_name"])
@pytest.mark.parametrize("odd", [rb"\ud83d", b"\xff", rb"\u0000", b"\x00"])
def test_odd_text_in_a_name_is_read(http: requests_mock.Mocker, operation: str, odd: bytes) -> None:
    call = answering(http, ClientOnMockedHttp(), operation, {"content": b'{"name": "Maria %s"}' % odd})

    assert call() == "Maria \ufffd"


@pytest.mark.parametrize("name", [None, "", 7, {"first": "Maria"}])
def test_that_a_deleted_one_has_no_name_is_known_for_an_hour(http: requests_mock.Mocker, name: object) -> None:
    client = ClientOnMockedHttp()
    names = NameCache(client.genesys, client.clock, **PLENTY)
    http.get(f"{API}/api/v2/users/{USER}", json={"id": USER, "name": name, "state": "deleted"})
    assert names.agent(USER) is None

    client.clock.advance(3599)
    assert names.known(USER, None)
    client.clock.advance(1)
    assert not names.known(USER, None)
    assert len(calls(http)) == 1


def test_a_system_code_is_asked_for_like_any_other(http: requests_mock.Mocker) -> None:
    http.get(f"{API}/api/v2/routing/wrapupcodes/ININ-WRAP-UP-TIMEOUT", **error(404))

    assert ClientOnMockedHttp().genesys.wrapup_name("ININ-WRAP-UP-TIMEOUT") is None
    assert len(calls(http)) == 1


@pytest.mark.parametrize("bad", ["", "..", "a/b", "a?b", "a%2fb", "a b", "é", "a\n", "x" * 300])
def test_what_is_no_id_never_gets_into_an_address(http: requests_mock.Mocker, bad: str) -> None:
    genesys = ClientOnMockedHttp().genesys

    for call in (
        lambda: genesys.topics(bad, OWN),
        lambda: genesys.add_topics(bad, OWN, [TOPIC]),
        lambda: genesys.clear_topics(bad, OWN),
        lambda: genesys.conversation(bad),
        lambda: genesys.conversation_details([bad]),
        lambda: genesys.user_names([USER, bad]),
        lambda: genesys.wrapup_names([USER, bad]),
    ):
        with pytest.raises(PermanentFailure):
            call()
    assert (genesys.user_name(bad), genesys.wrapup_name(bad)) == (None, None)
    assert http.call_count == 0


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("answer", "error_type", "outcome"),
    [
        (error(400), PermanentFailure, "refused"),
        (error(302, headers={"Location": "https://elsewhere.test"}), PermanentFailure, "refused"),
        (error(403), Forbidden, "forbidden"),
        (error(404), NotFound, "not_found"),
        (error(408), TransientFailure, "failed"),
        (error(409), TransientFailure, "failed"),
        (error(500), TransientFailure, "failed"),
        (error(503, headers={"Retry-After": "7"}), TransientFailure, "failed"),
        ({"status_code": 502, "text": "<html>Bad gateway of Maria Cruz"}, TransientFailure, "failed"),
        ({"exc": requests.ConnectTimeout}, NotSent, "not_sent"),
        ({"exc": requests.ReadTimeout}, NoReply, "no_reply"),
    ],
)
def test_every_failure_says_what_to_do_is_counted_and_repeats_nothing(
    http: requests_mock.Mocker, operation: str, answer: dict[str, Any], error_type: type[Exception], outcome: str
) -> None:
    client = ClientOnMockedHttp()
    call = answering(http, client, operation, answer)
    if operation in ("user_name", "wrapup_name") and error_type in (Forbidden, NotFound):
        assert call() is None
    else:
        with pytest.raises(error_type) as failure:
            call()
        assert type(failure.value) is error_type
        assert "Maria" not in str(failure.value)
        assert getattr(failure.value, "retry_after", None) == (
            7 if answer.get("headers", {}).get("Retry-After") else None
        )

    assert len(calls(http)) == 1
    assert client.outcomes()[operation, outcome] == 1


@pytest.mark.parametrize("operation", ANSWERED)
@pytest.mark.parametrize("body", ["", "no json", "[]", '"x"', "null", "[" * 100_000, '{"a": nan}'])
def test_a_success_that_can_not_be_read_proves_nothing(http: requests_mock.Mocker, operation: str, body: str) -> None:
    call = answering(http, ClientOnMockedHttp(), operation, {"text": body})

    with pytest.raises(BadAnswer):
        call()


@pytest.mark.parametrize("operation", ["list_topics", "add_topics", "replace_topics"])
@pytest.mark.parametrize("entities", [None, {}, "x", [7], [{}], [{"id": None}], [{"id": ["a"]}]])
def test_a_topic_list_that_can_not_be_read_proves_nothing(
    http: requests_mock.Mocker, operation: str, entities: object
) -> None:
    call = answering(http, ClientOnMockedHttp(), operation, {"json": {"entities": entities}})

    with pytest.raises(BadAnswer):
        call()


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one not in ON_A_CHANNEL])
def test_a_token_that_is_not_taken_is_renewed_once_and_the_call_repeated_once(
    http: requests_mock.Mocker, operation: str
) -> None:
    client = ClientOnMockedHttp()
    call = answering(http, client, operation, error(401, "bad.credentials"))

    with pytest.raises(TokenDead):
        call()

    sent = [one.headers["Authorization"] for one in http.request_history if one.url.startswith(API)]
    assert sent == ["Bearer token-1", "Bearer token-2"]
    assert client.outcomes()[operation, "unauthorized"] == 2


def test_the_repeated_call_is_answered_as_if_nothing_had_happened(http: requests_mock.Mocker) -> None:
    client = ClientOnMockedHttp()
    call = answering(http, client, "user_name", error(401), {"json": {"name": "Maria Cruz"}})

    assert call() == "Maria Cruz"
    assert client.tokens.current().value == "token-2"


@pytest.mark.parametrize("operation", ON_A_CHANNEL)
def test_a_channel_whose_own_token_is_not_taken_is_lost(http: requests_mock.Mocker, operation: str) -> None:
    call = answering(http, ClientOnMockedHttp(), operation, error(401))

    with pytest.raises(TokenDead):
        call()

    assert len(http.request_history) == 1


def test_a_channels_dead_token_is_no_longer_handed_out(http: requests_mock.Mocker) -> None:
    client = ClientOnMockedHttp()
    token = client.tokens.current()
    http.get(LIST, **error(401))

    with pytest.raises(TokenDead):
        client.genesys.topics(CHANNEL, token)

    assert client.tokens.current().value == "token-2"


@pytest.mark.parametrize(("header", "seconds"), [({"Retry-After": "30"}, 30.0), ({}, 1.0)])
def test_after_429_no_call_of_any_kind_goes_out_before_the_time_is_over(
    http: requests_mock.Mocker, header: dict[str, str], seconds: float
) -> None:
    client = ClientOnMockedHttp()
    call = answering(http, client, "user_name", error(429, headers=header))
    with pytest.raises(TransientFailure) as failure:
        call()
    assert failure.value.retry_after == seconds

    begun = client.clock.monotonic()
    answering(http, client, "clear_topics", {"status_code": 200})()

    assert client.clock.monotonic() - begun == pytest.approx(seconds)
    assert client.outcomes()["user_name", "throttled"] == 1


def test_after_429_only_those_calls_go_out_that_were_under_way(http: requests_mock.Mocker) -> None:
    client = ClientOnMockedHttp(PacedClock())
    client.tokens.current()
    arrived: list[float] = []

    def throttled(_: object, context: Any) -> dict[str, Any]:
        arrived.append(client.clock.monotonic())
        gevent.sleep(0.2)  # until every connection is in use
        context.status_code, context.headers = 429, {"Retry-After": "3"}
        return {}

    http.get(f"{API}/api/v2/users/{USER}", json=throttled)
    begun = client.clock.monotonic()
    callers = [gevent.spawn(_call_once, client.genesys.user_name, USER) for _ in range(CONNECTIONS + 20)]
    until(lambda: sum(one.dead for one in callers) == CONNECTIONS)
    gevent.sleep(0.02)
    assert arrived == [begun] * CONNECTIONS

    client.clock.advance(3)

    until(lambda: len(arrived) == 2 * CONNECTIONS)
    gevent.killall(callers)


def test_what_genesys_counted_is_believed(http: requests_mock.Mocker) -> None:
    client = ClientOnMockedHttp()
    headers = {"inin-ratelimit-count": "300", "inin-ratelimit-allowed": "300", "inin-ratelimit-reset": "12"}
    answering(http, client, "clear_topics", {"status_code": 200, "headers": headers})()

    begun = client.clock.monotonic()
    answering(http, client, "clear_topics", {"status_code": 200})()

    assert client.clock.monotonic() - begun == pytest.approx(12)


def test_the_calls_of_a_minute_are_bounded_whatever_they_ask(http: requests_mock.Mocker) -> None:
    client = ClientOnMockedHttp(api_rate_per_minute=2)
    call = answering(http, client, "clear_topics", {"status_code": 200})
    begun = client.clock.monotonic()

    for _ in range(6):
        call()

    assert client.clock.monotonic() - begun == pytest.approx(120)


def test_a_refusal_is_logged_with_its_code_and_request_id_but_not_its_words(http: requests_mock.Mocker) -> None:
    headers = {"ININ-Correlation-Id": "5a3c-11"}
    call = answering(http, ClientOnMockedHttp(), "conversation", error(403, "missing.permissions", headers=headers))

    with structlog.testing.capture_logs() as lines, pytest.raises(Forbidden, match="answered 403 missing"):
        call()

    refusal = lines[-1]
    assert (refusal["event"], refusal["code"], refusal["request"]) == (
        "genesys_refused",
        "missing.permissions",
        "5a3c-11",
    )
    assert "Maria" not in str(lines)
