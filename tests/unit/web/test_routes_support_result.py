"""What does ``POST /customers/supportResult`` take, and what does it answer?"""

import json
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.runtime.errors import StorageUnavailable
from tests.doubles.web import BACKOFFICE_TOKEN, BOFE_TOKEN, OPS_TOKEN, FakeGateway, bearer

CONVERSATION = "0d9f3f0c-6f0e-5b52-9d3f-7a0a6c1e2b44"
AGENT = "8c1bb1b4-2a2c-4c1c-9f0d-3a1d8a7d0001"
BODY = {
    "conversationId": CONVERSATION,
    "eventTime": "2026-11-22T18:00:00.123+08:00",
    "direction": "outbound",
    "mediaType": "callback",
    "ani": "+639171234567",
    "subject": "Loan",
    "wrapupCode": "ININ-WRAP-UP-TIMEOUT",
    "userId": AGENT,
}
EVENT = AcwEvent(
    conversation_id=CONVERSATION,
    user_id=AGENT,
    event_time=1_795_341_600_123,
    direction="OUTBOUND",
    media_type="CALLBACK",
    ani="+639171234567",
    subject="Loan",
    wrapup_code="ININ-WRAP-UP-TIMEOUT",
)


def report(client: FlaskClient, body: object = BODY, token: str = BACKOFFICE_TOKEN) -> TestResponse:
    data = body if isinstance(body, str) else json.dumps(body)
    return client.post("/customers/supportResult", data=data, headers=bearer(token), content_type="application/json")


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in BODY.items() if key != name}


def test_a_new_one_is_202_and_a_known_one_200(client: FlaskClient, gateway: FakeGateway) -> None:
    first, second = report(client), report(client)

    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json == second.json == {"recordId": EVENT.record_id, "state": "pending"}
    assert gateway.results.events == [EVENT, EVENT]


def test_a_nul_becomes_a_character_that_can_be_stored(client: FlaskClient, gateway: FakeGateway) -> None:
    names = ("ani", "subject", "wrapupCode")
    response = report(client, BODY | dict.fromkeys(names, "a\x00b"))

    assert response.status_code == 202
    assert gateway.results.events == [replace(EVENT, ani="a\ufffdb", subject="a\ufffdb", wrapup_code="a\ufffdb")]


def test_ids_and_words_are_taken_in_either_case(client: FlaskClient, gateway: FakeGateway) -> None:
    words = {name: BODY[name].upper() for name in ("conversationId", "userId", "direction", "mediaType")}

    assert report(client, BODY | words).status_code == 202
    assert gateway.results.events == [EVENT]


@pytest.mark.parametrize(
    ("code", "kept"),
    [("7FB334B0-0E9E-11E4-9191-0800200C9A66", "7fb334b0-0e9e-11e4-9191-0800200c9a66"), ("ININ-WRAP-UP-SKIPPED",) * 2],
)
def test_a_code_that_is_a_uuid_is_kept_in_lower_case(
    client: FlaskClient, gateway: FakeGateway, code: str, kept: str
) -> None:
    assert report(client, BODY | {"wrapupCode": code}).status_code == 202

    assert gateway.results.events[0].wrapup_code == kept


@pytest.mark.parametrize("subject", [None, ""])
def test_the_subject_may_be_absent(client: FlaskClient, gateway: FakeGateway, subject: str | None) -> None:
    assert report(client, without("subject")).status_code == 202
    assert report(client, BODY | {"subject": subject}).status_code == 200
    assert gateway.results.events[0].subject is None


@pytest.mark.parametrize("name", sorted(set(BODY) - {"subject"}))
def test_everything_else_must_be_there(client: FlaskClient, gateway: FakeGateway, name: str) -> None:
    for body in (without(name), BODY | {name: None}, BODY | {name: 7}, BODY | {name: ["x"]}):
        response = report(client, body)

        assert response.status_code == 422
        assert list(json.loads(response.data)["errors"]) == [name]
    assert gateway.results.events == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("conversationId", f"{{{CONVERSATION}}}"),
        ("conversationId", CONVERSATION.replace("-", "")),
        ("userId", f"urn:uuid:{AGENT}"),
        ("eventTime", "2026-11-22T10:00:00.123"),
        ("eventTime", "2026-11-22"),
        ("eventTime", "yesterday"),
        ("eventTime", 1_795_341_600_123),
        ("eventTime", "1969-12-31T23:59:59.999Z"),
        ("eventTime", "0001-01-01T00:00:00+14:00"),
        ("eventTime", "9999-12-31T23:59:59.999-12:00"),
        ("eventTime", "2026-02-30T10:00:00Z"),
        ("eventTime", "2026-11-22T25:00:00Z"),
        ("direction", "sideways"),
        ("direction", "INBOUND "),
        ("direction", "unknown"),
        ("mediaType", "fax"),
        ("mediaType", ""),
        ("mediaType", "vo\u0130ce"),
        ("ani", "\ud800"),
        ("subject", "half \udfff a character"),
        ("wrapupCode", "\udc00"),
        ("subject", {"deep": 1}),
    ],
)
def test_what_is_no_such_value_is_422_and_named(client: FlaskClient, name: str, value: object) -> None:
    response = report(client, BODY | {name: value})

    assert response.status_code == 422
    assert response.content_type == "application/problem+json"
    assert list(json.loads(response.data)["errors"]) == [name]


@pytest.mark.parametrize(
    "moment",
    [
        "2026-11-22T10:00:00.123Z",
        "2026-11-22T10:00:00.123+00:00",
        "2026-11-22T04:30:00.123-05:30",
        "20261122T100000.123Z",
    ],
)
def test_a_moment_is_the_same_whatever_its_offset(client: FlaskClient, gateway: FakeGateway, moment: str) -> None:
    assert report(client, BODY | {"eventTime": moment}).status_code == 202
    assert gateway.results.events == [EVENT]


@pytest.mark.parametrize("token", [BOFE_TOKEN, OPS_TOKEN])
def test_only_the_backoffice_may_report(client: FlaskClient, gateway: FakeGateway, token: str) -> None:
    assert report(client, token=token).status_code == 403
    assert report(client, token="nobody").status_code == 401
    assert gateway.results.events == []


def test_without_a_commit_it_is_503(client: FlaskClient, gateway: FakeGateway) -> None:
    gateway.fail_with(StorageUnavailable("innermost", 3))

    response = report(client)

    assert (response.status_code, response.headers["Retry-After"]) == (503, "3")
    assert "innermost" not in response.text


def test_unknown_fields_are_ignored(client: FlaskClient) -> None:
    assert report(client, BODY | {"queueId": 7, "participantId": None}).status_code == 202
