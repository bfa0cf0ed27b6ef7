"""Every answer, however wrong, becomes a value or one of our own errors, and every event read can be delivered."""

from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesys_gateway.commands.check import cloud, hosts
from genesys_gateway.commands.check.findings import Finding
from genesys_gateway.delivery.history_client import HistoryClient
from genesys_gateway.delivery.outcome import Result
from genesys_gateway.domain import record
from genesys_gateway.domain.after_call_work import Acw, AcwEvent
from genesys_gateway.domain.record import FirstAttemptFacts
from genesys_gateway.domain.record_schema import mistakes
from genesys_gateway.genesys.assertions.history import AssertionHistory, InMemorySentAssertions
from genesys_gateway.genesys.assertions.url import AssertionUrl
from genesys_gateway.genesys.client import Genesys
from genesys_gateway.genesys.notifications import acw_topic, parse
from genesys_gateway.genesys.rate_limiter import RateLimiter
from genesys_gateway.genesys.tokens import Token, Tokens
from genesys_gateway.reconciliation.inquiry import Inquiry
from genesys_gateway.runtime.errors import GatewayError, TransientFailure
from genesys_gateway.runtime.http_client import HttpClient, Reply, retry_after
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.storage.statements.reconciliation import Due
from genesys_gateway.web.jwks import Jwks
from tests.doubles import genesys as genesys_doubles
from tests.doubles import genesys_answers, hostile, issuer
from tests.doubles.runtime import FakeClock

CONVERSATION = genesys_answers.CONVERSATION
TOPIC = acw_topic(CONVERSATION)
OWN = Token(value="own", issued_at=0, expires_at=1)
AGENT = "9bd1a4a5-33bd-4c02-9ac7-6e3f5a8f7d10"
RULES = record.Rules(domain_by_queue={}, default_country="PH")

SESSION = {
    "sessionId": "session-1",
    "mediaType": "voice",
    "direction": "inbound",
    "ani": "tel:+639171234567",
    "metrics": [{"name": "tAcw", "value": 43_000}],
    "segments": [
        {
            "segmentType": "wrapup",
            "wrapUpCode": genesys_answers.CODE,
            "wrapUpNote": "a note",
            "segmentStart": genesys_answers.ACW_START,
            "segmentEnd": genesys_answers.ACW_END,
            "queueId": "queue-1",
        }
    ],
}
ANSWERS: dict[str, Any] = {
    "token": {"access_token": "abc", "token_type": "bearer", "expires_in": 86399},
    "channel": {
        "id": "streaming-0-a",
        "connectUri": "wss://streaming.genesys.test/channels/a",
        "expires": "2026-11-23",
    },
    "channels": {"entities": [{"id": "streaming-0-a"}]},
    "topics": {"entities": [{"id": TOPIC, "state": "Rejected", "rejectionReason": "no"}]},
    "conversation": orjson.loads(
        genesys_answers.answer(
            genesys_answers.customer(ani="tel:+63917"),
            genesys_answers.agent(
                1,
                calls=[genesys_answers.call(1, genesys_answers.COMPLETE)],
                messages=[
                    genesys_answers.call(2, genesys_answers.PENDING, type="sms", fromAddress={"addressRaw": "x"})
                ],
                wrapup=genesys_answers.WRAPUP,
                startAcwTime=genesys_answers.ACW_START,
                endAcwTime=genesys_answers.ACW_END,
            ),
        )
    ),
    "details": {
        "conversations": [
            {
                "conversationId": CONVERSATION,
                "conversationStart": genesys_answers.ACW_START,
                "conversationEnd": genesys_answers.ENDED,
                "participants": [
                    {"participantId": "participant-1", "userId": AGENT, "purpose": "agent", "sessions": [SESSION]}
                ],
            }
        ]
    },
    "keys": orjson.loads(issuer.key_set()),
    "me": {
        "organization": {"id": "org-1", "name": "Bank"},
        "OAuthClient": {"id": "the-client", "name": "gateway"},
        "authorizedScope": ["notifications:readonly"],
    },
    "kinds": {
        "entities": [
            {
                "id": "v2.detail.events.conversation.{id}.acw",
                "requiresPermissions": ["analytics:conversationDetail:view"],
                "transports": ["All", "Websocket"],
            }
        ]
    },
    "name": {"id": AGENT, "name": "Maria Cruz"},
    "names": {"entities": [{"id": AGENT, "name": "Maria Cruz"}], "pageSize": 50, "pageCount": 1, "total": 1},
    "error": {"message": "no", "code": "not.found", "status": 404, "contextId": "x", "details": [], "errors": []},
    "login error": {"error": "invalid_client", "description": "no", "error_description": "no"},
}
NOTIFICATION = {
    "topicName": TOPIC,
    "version": "2",
    "eventBody": {
        "eventTime": 1_763_805_600_000,
        "conversationId": CONVERSATION,
        "participantId": "p-1",
        "sessionId": "s-1",
        "mediaType": "CALLBACK",
        "direction": "INBOUND",
        "ani": "tel:+639171234567",
        "callbackNumbers": ["+63917"],
        "subject": "Loan",
        "userId": AGENT,
        "queueId": "q-1",
        "wrapupCode": genesys_answers.CODE,
        "wrapupNotes": "a note",
        "wrapupDurationMs": 4000,
    },
    "metadata": {"CorrelationId": "c"},
}
FAR_DATES = [
    "Wed, 21 Oct 9999 07:28:00 GMT",
    "Thu, 99 Foo",
    "Mon, 01 Jan 0001 00:00:00 +2359",
    "Mon, 01 Jan 0001 00:00:00 GMT",
    "Wed, 21 Oct 2026 07:28:00 +9999999",
    "Wed, 21 Oct 2026 07:28:00 -9999999999999999",
]
HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "inin-ratelimit-count", "inin-ratelimit-allowed", "inin-ratelimit-reset"]),
    st.text(max_size=12) | st.sampled_from(["-1", "nan", "inf", "1e400", "٣", "0" * 400, *FAR_DATES]),
)
#: from success to statuses that no server may send
STATUSES = st.sampled_from([200, 200, 200, 201, 204, 302, 400, 403, 404, 408, 409, 425, 429, 500, 503, 599, 999])


class FakeHttp:
    """Stands in for HttpClient: gives the same answer to every call."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.reply = Reply(status=200, headers={}, body=b"")

    def answers(self, status: int, headers: dict[str, str], body: bytes) -> None:
        wait = retry_after(headers, self._clock.now())
        assert wait is None or 0 <= wait <= 3600
        self.reply = Reply(status=status, headers=headers, body=body, retry_after=wait)

    def call(self, *_: object, **__: object) -> Reply:
        return self.reply

    def close(self) -> None:
        """There is nothing to close."""


class ReadersOnFakeHttp:
    """All modules that read answers. The login host has a FakeHttp of its own; all other hosts share one."""

    def __init__(self) -> None:
        self.clock, self.metrics = FakeClock(), Metrics()
        made = genesys_doubles.settings(genesys_org_name="org", oidc_jwks_url="https://idp.test/keys")
        self.http, self.login_http = FakeHttp(self.clock), FakeHttp(self.clock)
        self.login_http.answers(200, {}, orjson.dumps(ANSWERS["token"]))
        http = cast("HttpClient", self.http)
        self.tokens = Tokens(made, cast("HttpClient", self.login_http), self.clock, self.metrics)
        limiter = RateLimiter(1_000_000, self.clock)
        self.settings = made
        self.genesys = Genesys(made, http, self.tokens, limiter, self.clock, self.metrics)
        self.inquiry = Inquiry(self.genesys, made, self.clock)
        self.history = HistoryClient(made, http, self.clock, self.metrics)
        self.keys = Jwks(made, self.clock)
        self.keys._http = http
        sent = AssertionHistory(InMemorySentAssertions(), self.clock)
        self.assertions = AssertionUrl(made, "https://idp.test/", None, self.clock, sent)
        self.assertions._http = http


def due() -> Due:
    return Due(
        id=CONVERSATION,
        owner="us",
        covered_at=1,
        uncovered_since=None,
        in_doubt=True,
        asked=1,
        due_at=1,
        deadline_at=2,
        unknown_since=None,
    )


def check_finding(area: str, ask: Callable[[], Finding]) -> None:
    """Assert that the check finds a text for an answer, whatever it is."""
    found = cloud._finding_of(area, ask)
    assert found.text
    orjson.dumps(found.text)


READERS: dict[str, tuple[str, Callable[[ReadersOnFakeHttp], object]]] = {
    "create_channel": ("channel", lambda readers: readers.genesys.create_channel()),
    "count_channels": ("channels", lambda readers: readers.genesys.count_channels()),
    "topics": ("topics", lambda readers: readers.genesys.topics("streaming-0-a", OWN)),
    "add_topics": ("topics", lambda readers: readers.genesys.add_topics("streaming-0-a", OWN, [TOPIC])),
    "replace_topics": ("topics", lambda readers: readers.genesys.replace_topics("streaming-0-a", OWN, [TOPIC])),
    "clear_topics": ("error", lambda readers: readers.genesys.clear_topics("streaming-0-a", OWN)),
    "user_name": ("name", lambda readers: readers.genesys.user_name(AGENT)),
    "user_names": ("names", lambda readers: readers.genesys.user_names([AGENT])),
    "wrapup_names": ("names", lambda readers: readers.genesys.wrapup_names([AGENT])),
    "wrapup_name": ("name", lambda readers: readers.genesys.wrapup_name(genesys_answers.CODE)),
    "live": ("conversation", lambda readers: readers.inquiry.live(due()).finished),
    "bulk": ("details", lambda readers: readers.inquiry.bulk([due()])[CONVERSATION].finished),
    "last look": (
        "details",
        lambda readers: tuple(event for one in readers.inquiry.last([CONVERSATION]).values() for event in one.finished),
    ),
    "issuer keys": ("keys", lambda readers: readers.keys.find("rsa-1")),
    "check of the token": (
        "me",
        lambda readers: check_finding("tokens/me", lambda: cloud._token_info(readers.http.reply, readers.settings)),
    ),
    "check of the topic": (
        "kinds",
        lambda readers: check_finding("topic", lambda: cloud._topic(readers.http.reply, set())),
    ),
}


def check_sendable(event: AcwEvent, source: str) -> None:
    """Assert that the event survives the outbox and becomes a valid record."""
    kept = AcwEvent.from_json(event.to_json())
    assert kept == event
    known = FirstAttemptFacts(agent_name=None, wrapup_name=None, customer_id=None)
    made = record.build(kept.record_id, kept, source, 1_763_805_600_000, known, RULES)
    assert not mistakes(made)
    orjson.dumps(made)


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
@settings(deadline=None)
def test_an_answer_of_genesys_is_read_or_refused_in_our_own_words(name: str, data: st.DataObject) -> None:
    kind, ask = READERS[name]
    readers = ReadersOnFakeHttp()
    status = data.draw(STATUSES)
    sample = ANSWERS[kind if status < 300 else "error"]
    readers.http.answers(status, data.draw(HEADERS), data.draw(hostile.bodies(sample)))
    found: object = ()
    with suppress(GatewayError):
        found = ask(readers)
    for event in found if isinstance(found, tuple) else ():
        if isinstance(event, AcwEvent):
            check_sendable(event, "backfill")


@given(STATUSES, HEADERS, hostile.bodies(ANSWERS["token"]) | hostile.bodies(ANSWERS["login error"]))
@settings(deadline=None)
def test_an_answer_of_the_login_host_is_a_token_or_a_reason(status: int, headers: dict[str, str], body: bytes) -> None:
    readers = ReadersOnFakeHttp()
    readers.login_http.answers(status, headers, body)
    with suppress(GatewayError):
        token = readers.tokens.current()
        assert token.value.isascii()
        assert token.expires_at > token.issued_at


@given(STATUSES, HEADERS, st.sampled_from(hostile.NASTY) | st.binary(max_size=60) | st.binary().map(b64encode))
def test_an_answer_with_an_assertion_is_one_or_a_reason(status: int, headers: dict[str, str], body: bytes) -> None:
    readers = ReadersOnFakeHttp()
    readers.http.answers(status, headers, body)
    with suppress(TransientFailure):
        assert readers.assertions.take().encode("ascii") == b"".join(body.split())
        assert status == 200


@given(st.text(max_size=40) | st.sampled_from(FAR_DATES))
def test_a_date_of_any_host_gives_the_time_or_nothing(date: str) -> None:
    skew = hosts._skew({"Date": date}, 1_795_341_600_000, 1_795_341_600_500)
    assert skew is None or skew.area == "clock"


@given(STATUSES, HEADERS, st.sampled_from(hostile.NASTY))
def test_an_answer_of_communication_history_is_an_outcome(status: int, headers: dict[str, str], body: bytes) -> None:
    readers = ReadersOnFakeHttp()
    readers.http.answers(status, headers, body)
    assert isinstance(readers.history.post({"id": AGENT}), Result)
    assert isinstance(readers.history.lookup(AGENT), Result | None)


@given(hostile.bodies(NOTIFICATION))
@settings(deadline=None, max_examples=400)
def test_a_frame_is_a_notification_whatever_it_is(frame: bytes) -> None:
    notification = parse(frame)
    if isinstance(notification, Acw):
        check_sendable(notification.event, "live")


@pytest.mark.parametrize(
    "end", ["9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.9999999Z", "0001-01-01T00:00:00+23:59"]
)
def test_an_end_that_no_record_could_hold_is_none(end: str) -> None:
    readers = ReadersOnFakeHttp()
    details = orjson.loads(orjson.dumps(ANSWERS["details"]).replace(genesys_answers.ACW_END.encode(), end.encode()))
    readers.http.answers(200, {}, orjson.dumps(details))
    assert readers.inquiry.bulk([due()])[CONVERSATION].finished == ()
