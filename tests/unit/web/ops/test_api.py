"""What do the addresses below /ops/api/ answer, to whom, and what do they refuse?"""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from genesys_gateway.web.ops.access import SESSIONS
from genesys_gateway.web.ops.session import COOKIE
from genesys_gateway.web.schemas import ops
from tests.doubles import stored_rows as stored
from tests.doubles.operated import a_trouble
from tests.doubles.stored_rows import CONVERSATION, CUSTOMER, OTHER_CONVERSATION, PERSONAL
from tests.doubles.web import BACKOFFICE_TOKEN, BOFE_TOKEN, OPS_TOKEN, FakeGateway, bearer, status

RECORD = "97f2f1c4-8d1e-5c1b-9b53-5d1c2f0c7a11"
OTHER_RECORD = "97f2f1c4-8d1e-5c1b-9b53-5d1c2f0c7a12"
OPS = bearer(OPS_TOKEN)
READS = ("status", "channels", "conversations", f"conversations/{CONVERSATION}", "records", f"records/{RECORD}")
POSTS = (f"records/{RECORD}/reveal", f"records/{RECORD}/requeue", "records/requeue")


def get(client: FlaskClient, address: str, **headers: str) -> TestResponse:
    return client.get(f"/ops/api/{address}", headers=OPS | headers)


def found(client: FlaskClient, address: str) -> Any:
    """What is answered with 200."""
    answer = get(client, address)
    assert answer.status_code == 200
    return answer.json


def post(client: FlaskClient, address: str, body: object = None) -> TestResponse:
    return client.post(f"/ops/api/{address}", headers=OPS, json=body)


@pytest.fixture
def client(gateway: FakeGateway) -> FlaskClient:
    """The client of a gateway with two conversations and two records."""
    conversations = (
        stored.conversation_row(CONVERSATION),
        stored.open_row(OTHER_CONVERSATION, created_at=stored.NOW),
    )
    records = (
        stored.dead_row(RECORD, CONVERSATION),
        stored.pending_row(OTHER_RECORD, OTHER_CONVERSATION, stored_at=stored.NOW),
    )
    gateway.storage.uncounted(lambda c: stored.put_conversations(c, *conversations))
    gateway.storage.uncounted(lambda c: stored.put_entries(c, *records))
    return create_app(gateway).test_client()


@pytest.mark.parametrize("address", READS)
def test_only_operators_read(client: FlaskClient, address: str) -> None:
    answers = [
        client.get(f"/ops/api/{address}", headers=headers | {"Accept": "text/html"})
        for headers in ({}, bearer("x"), bearer(BOFE_TOKEN), bearer(BACKOFFICE_TOKEN), OPS)
    ]

    assert [one.status_code for one in answers] == [401, 401, 403, 403, 200]
    assert {one.content_type for one in answers[:4]} == {"application/problem+json"}
    assert answers[4].content_type == "application/json"
    assert {one.headers["Cache-Control"] for one in answers} == {"no-store"}


@pytest.mark.parametrize("address", POSTS)
def test_only_operators_act(client: FlaskClient, address: str) -> None:
    statuses = [
        client.post(f"/ops/api/{address}", headers=headers, data=b"x" * 20_000).status_code
        for headers in ({}, bearer("x"), bearer(BOFE_TOKEN), OPS | {"Origin": "http://evil.example"}, OPS)
    ]
    assert statuses == [401, 401, 403, 403, 413]


def test_the_status_and_the_channels_are_as_described(client: FlaskClient) -> None:
    status, channels = found(client, "status"), found(client, "channels")

    assert ops.StatusReply().validate(status) == {}
    assert set(status["promise"]) == {"accepted", "followed", "closed", "unaccounted"}
    assert isinstance(channels, list)
    assert [ops.ChannelReply().validate(one) for one in channels] == [{}] * len(channels)


def test_status_and_channels_are_answered_while_the_database_refuses(client: FlaskClient, gateway: FakeGateway) -> None:
    gateway.storage.refuse(1000)

    for address in READS:
        answer = get(client, address)
        assert answer.status_code == (200 if address in ("status", "channels") else 503)
        assert answer.status_code == 200 or int(answer.headers["Retry-After"]) >= 1
    for address in POSTS:
        assert post(client, address, {"reason": "HTTP 422"}).status_code == 503


def test_figures_that_were_never_read_are_not_answered(client: FlaskClient, gateway: FakeGateway) -> None:
    gateway.watching.latest = status(known=False, troubles=(a_trouble("disk_refuses"),))

    for address in ("status", "channels"):
        answer = get(client, address)
        assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
        assert int(answer.headers["Retry-After"]) >= 1


def test_the_conversations_are_listed_newest_first(client: FlaskClient) -> None:
    page = found(client, "conversations")

    assert ops.ConversationsReply().validate(page) == {}
    assert page["next"] is None
    assert page["items"][1] == {
        "interactionId": CONVERSATION,
        "state": "closed",
        "outcome": "logged",
        "createdAt": "2025-11-21T10:00:00.000Z",
        "dueAt": None,
        "channel": None,
        "records": 1,
    }
    assert page["items"][0]["interactionId"] == OTHER_CONVERSATION
    assert CUSTOMER not in json.dumps(page)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 2),
        ("state=closed", 1),
        ("state=pending", 1),
        ("state=subscribed", 0),
        (f"q={CONVERSATION}", 1),
        (f"q={CONVERSATION.upper()}", 1),
        (f"q={CONVERSATION[:-1]}", 2),
        (f"q={CONVERSATION[:9]}", 2),
        ("q=6", 2),
        ("q=7", 0),
        (f"q={CONVERSATION}&state=pending", 0),
        ("limit=1000&unknown=x", 2),
    ],
)
def test_conversations_are_filtered(client: FlaskClient, query: str, count: int) -> None:
    assert len(found(client, f"conversations?{query}")["items"]) == count


def test_the_next_page_begins_where_this_one_ends(client: FlaskClient) -> None:
    for address in ("conversations", "records", "records?state=dead"):
        joint = "&" if "?" in address else "?"
        seen, cursor = [], ""
        while cursor is not None:
            page: Any = get(client, f"{address}{joint}limit=1{f'&cursor={cursor}' if cursor else ''}").json
            assert len(page["items"]) == 1
            seen += [str(one) for one in page["items"]]
            cursor = page["next"]
        assert len(set(seen)) == len(seen) == (1 if "dead" in address else 2)


@pytest.mark.parametrize(
    "limit", ["0", "-1", "1001", "99999999999999999999", "1e2", "1.0", "NaN", "+1", "01", " 1", "x", ""]
)
@pytest.mark.parametrize("address", ["conversations", "records"])
def test_any_other_limit_is_422(client: FlaskClient, address: str, limit: str) -> None:
    refused(client, f"{address}?limit={limit.replace('+', '%2B')}", "limit")


@pytest.mark.parametrize("query", ["limit=1&limit=1", "cursor=a&cursor=a", "state=dead&state=dead"])
def test_a_parameter_that_stands_twice_is_422(client: FlaskClient, query: str) -> None:
    refused(client, f"records?{query}", query.partition("=")[0])


@pytest.mark.parametrize("state", ["", "Dead", "dead ", "subscribed", "closed", "unknown", "dead%00", "%ff"])
def test_any_other_state_of_a_record_is_422(client: FlaskClient, state: str) -> None:
    refused(client, f"records?state={state}", "state")


@pytest.mark.parametrize("state", ["", "dead", "delivered", "released", "PENDING"])
def test_any_other_state_of_a_conversation_is_422(client: FlaskClient, state: str) -> None:
    refused(client, f"conversations?state={state}", "state")


@pytest.mark.parametrize(
    "q",
    [
        *("", "g", "%25", "_", "6%", "633ba5f4_", "633ba5f438", "-", "633ba5f4--", "6-", " 633b", "633b "),
        *("'%20OR%20'1'='1", "{633ba5f4", "urn:uuid:633ba5f4", f"{CONVERSATION}0", f"{CONVERSATION}%00", "٣", "%ff"),
    ],
)
def test_any_other_beginning_is_422(client: FlaskClient, q: str) -> None:
    refused(client, f"conversations?q={q}", "q")


@pytest.mark.parametrize("cursor", ["", "x", "eyJhdCI6MX0", "AAAA", "%00", "%ff", "A" * 3000])
@pytest.mark.parametrize("address", ["conversations", "records"])
def test_a_forged_cursor_is_422(client: FlaskClient, address: str, cursor: str) -> None:
    refused(client, f"{address}?cursor={cursor}", "cursor")


def test_the_cursor_of_another_list_is_422(client: FlaskClient) -> None:
    cursors = {one: found(client, f"{one}?limit=1")["next"] for one in ("conversations", "records")}
    refused(client, f"records?cursor={cursors['conversations']}", "cursor")
    refused(client, f"conversations?cursor={cursors['records']}", "cursor")
    refused(client, f"conversations?q=6&cursor={cursors['conversations']}", "cursor")
    refused(client, f"records?state=dead&cursor={cursors['records']}", "cursor")


def refused(client: FlaskClient, address: str, field: str) -> None:
    answer = get(client, address)
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert answer.json is not None
    assert list(answer.json["errors"]) == [field]


def test_a_conversation_is_explained(client: FlaskClient) -> None:
    shown = found(client, f"conversations/{CONVERSATION.upper()}")

    assert ops.AccountReply().validate(shown) == {}
    assert shown["interactionId"] == CONVERSATION
    assert "Closed" in shown["explanation"]["state"]
    assert "Given up" in shown["records"][0]["text"]
    assert not any(one in json.dumps(shown) for one in PERSONAL)


def test_a_record_is_masked_until_it_is_revealed(client: FlaskClient, gateway: FakeGateway) -> None:
    masked, revealed = found(client, f"records/{RECORD}"), post(client, f"records/{RECORD.upper()}/reveal")

    assert ops.ShownRecordReply().validate(masked) == {}
    assert {name: masked[name] for name in masked if name != "record"} == {
        "id": RECORD,
        "interactionId": CONVERSATION,
        "state": "dead",
        "source": "live",
        "attempts": 1,
        "lastError": "HTTP 422",
        "nextAt": None,
    }
    assert masked["record"]["customerHandle"] == "•••"
    assert not any(one in json.dumps(masked, ensure_ascii=False) for one in PERSONAL if one != CUSTOMER)
    assert revealed.status_code == 200
    assert revealed.json is not None
    assert revealed.json["record"]["customerHandle"] == PERSONAL[0]
    ((event, detail),) = gateway.storage.uncounted(lambda c: stored.get_timeline(c, CONVERSATION))
    assert event == "revealed"
    assert detail is not None
    assert detail.startswith(f"{RECORD} ops ")
    assert OPS_TOKEN not in detail


@pytest.mark.parametrize(("address", "status"), [(RECORD.replace("9", "8"), 404), ("x", 422), (RECORD[:-1], 422)])
@pytest.mark.parametrize("what", ["", "/reveal", "/requeue"])
def test_a_record_that_is_not_there_is_404_and_no_id_is_422(
    client: FlaskClient, address: str, status: int, what: str
) -> None:
    answer = post(client, f"records/{address}{what}") if what else get(client, f"records/{address}")

    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"


def test_a_conversation_that_is_not_there_is_404_and_no_id_is_422(client: FlaskClient) -> None:
    assert get(client, f"conversations/{RECORD}").status_code == 404
    assert get(client, "conversations/x").status_code == 422


def test_the_last_error_of_a_conversation_s_record_is_named_as_in_the_list(
    client: FlaskClient, gateway: FakeGateway
) -> None:
    odd = {"reason": "refused with Maria Cruz", "last_error": "Maria Cruz"}
    rows = (
        stored.dead_row(OTHER_RECORD.replace("9", "a"), CONVERSATION, **odd),
        stored.pending_row(OTHER_RECORD.replace("9", "b"), CONVERSATION, last_error="lookup: connection failed (x)"),
    )
    gateway.storage.uncounted(lambda c: stored.put_entries(c, *rows))

    records = found(client, f"conversations/{CONVERSATION}")["records"]

    listed = {one["id"]: one["lastError"] for one in found(client, "records")["items"]}
    assert {one["lastError"] for one in records} == {"HTTP 422", "other", "connection lost"}
    assert all(listed[one["id"]] == one["lastError"] for one in records)


def test_a_dead_record_is_requeued_once(client: FlaskClient, gateway: FakeGateway) -> None:
    first, second, other = (post(client, f"records/{one}/requeue") for one in (RECORD, RECORD, OTHER_RECORD))

    assert (first.status_code, first.json) == (202, {"requeued": 1})
    assert (second.status_code, other.status_code) == (409, 409)
    assert "not dead" in (second.json or {})["detail"]
    assert gateway.requeued == 1


def test_all_that_are_dead_alike_are_requeued(client: FlaskClient, gateway: FakeGateway) -> None:
    answers = [post(client, "records/requeue", {"reason": one}) for one in ("HTTP 400", "HTTP 422", "HTTP 422")]

    assert [one.status_code for one in answers] == [202] * 3
    assert [one.json for one in answers] == [{"requeued": 0}, {"requeued": 1}, {"requeued": 0}]
    assert gateway.requeued == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"reason": "a", "reason": "b"}', 400),
        (b'{"reason": NaN}', 400),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"reason": null}', 422),
        (b'{"reason": 422}', 422),
        (b'{"reason": ""}', 422),
        (b'{"reason": "' + b"x" * 201 + b'"}', 422),
        (b'{"reason": "HTTP 422\\u0000"}', 202),
        (b'{"reason": "\\ud800"}', 202),
    ],
)
def test_a_requeue_of_all_needs_a_reason(client: FlaskClient, body: bytes, status: int) -> None:
    sent = OPS | {"Content-Type": "application/json"}
    answer = client.post("/ops/api/records/requeue", headers=sent, data=body)

    assert answer.status_code == status
    assert client.post("/ops/api/records/requeue", headers=OPS, data=body).status_code == 415
    assert status != 202 or answer.json == {"requeued": 0}


@pytest.mark.parametrize("address", POSTS)
def test_what_acts_is_no_get(client: FlaskClient, address: str) -> None:
    answer = get(client, address)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_a_bearer_counts_against_its_rate() -> None:
    gateway = FakeGateway(GATEWAY_CLIENT_RATE_PER_MINUTE="2")
    client = create_app(gateway).test_client()

    assert [get(client, "status").status_code for _ in range(3)] == [200, 200, 429]
    assert get(client, "records?limit=x").status_code == 429


def test_a_session_counts_with_its_token_and_needs_the_word_for_a_post(client: FlaskClient) -> None:
    client.post("/ops/login", data={"token": OPS_TOKEN})
    cookie = client.get_cookie(COOKIE, path="/ops")
    assert cookie is not None
    word = client.application.extensions[SESSIONS].read(cookie.value).csrf
    address = f"/ops/api/records/{RECORD}/reveal"

    assert client.get("/ops/api/records").status_code == 200
    assert client.post(address).status_code == 403
    assert client.post(address, data={"csrf": "x"}).status_code == 403
    assert client.post(address, json={"csrf": word}).status_code == 403
    assert client.post(f"{address}?csrf={word}").status_code == 403
    assert client.post(address, data={"csrf": word}).status_code == 200
    assert client.post(address, headers={"X-CSRF-Token": word}).status_code == 200
    assert client.get("/ops/api/status", headers=bearer("x")).status_code == 401
