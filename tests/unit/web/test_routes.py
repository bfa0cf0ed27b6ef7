"""What do the endpoints answer, and in which order do they check?"""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from genesys_gateway.runtime.errors import PairedAlready, StorageUnavailable
from genesys_gateway.storage.statements.conversations import RecordView
from genesys_gateway.storage.statements.timeline import TimelineItem
from tests.doubles.web import (
    ADDRESS,
    BACKOFFICE_TOKEN,
    BOFE_TOKEN,
    CUSTOMER,
    INTERACTION,
    OPS_TOKEN,
    PAIR,
    FakeGateway,
    bearer,
    view,
)


def register(client: FlaskClient, body: object = PAIR, token: str = BOFE_TOKEN, **more: Any) -> TestResponse:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent: dict[str, Any] = {"data": data, "headers": bearer(token), "content_type": "application/json"} | more
    return client.post(ADDRESS, **sent)


def problem(response: TestResponse) -> dict[str, Any]:
    assert response.content_type == "application/problem+json"
    document: dict[str, Any] = json.loads(response.data)
    assert set(document) - {"errors"} == {"type", "title", "status", "detail"}
    assert document["status"] == response.status_code
    return document


def test_the_first_registration_is_201_and_a_repetition_200(client: FlaskClient) -> None:
    first, second = register(client), register(client)

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.content_type == "application/json"
    assert first.json == {
        "interactionId": INTERACTION,
        "customerId": CUSTOMER,
        "createdAt": "2026-11-22T10:00:00.000Z",
        "state": "pending",
        "outcome": None,
        "records": [],
        "timeline": [],
    }


def test_ids_are_taken_in_either_case_and_answered_in_lower_case(client: FlaskClient) -> None:
    upper = register(client, {name: value.upper() for name, value in PAIR.items()})
    shown = client.get(f"{ADDRESS}/{INTERACTION.upper()}", headers=bearer(BOFE_TOKEN))

    assert upper.json == shown.json
    assert upper.json is not None
    assert (upper.json["interactionId"], upper.json["customerId"]) == (INTERACTION, CUSTOMER)


def test_unknown_fields_are_ignored(client: FlaskClient) -> None:
    assert register(client, PAIR | {"note": "\u0000", "more": {"deep": [1]}}).status_code == 201


def test_a_registered_interaction_is_shown_with_its_records_and_timeline(
    client: FlaskClient, gateway: FakeGateway
) -> None:
    gateway.registrations.views[INTERACTION] = view(
        INTERACTION,
        None,
        state="closed",
        outcome="logged",
        records=(RecordView(id="r", state="delivered", source="live", amended=True),),
        timeline=(
            TimelineItem(at=1_795_341_600_001, event="registered", detail=None),
            TimelineItem(at=1_795_341_660_000, event="attempt_failed", detail="503"),
        ),
    )

    shown = client.get(f"{ADDRESS}/{INTERACTION}", headers=bearer(OPS_TOKEN)).json

    assert shown == {
        "interactionId": INTERACTION,
        "customerId": None,
        "createdAt": "2026-11-22T10:00:00.000Z",
        "state": "closed",
        "outcome": "logged",
        "records": [{"id": "r", "state": "delivered", "source": "live", "amended": True}],
        "timeline": [
            {"at": "2026-11-22T10:00:00.001Z", "event": "registered", "detail": None},
            {"at": "2026-11-22T10:01:00.000Z", "event": "attempt_failed", "detail": "503"},
        ],
    }


def test_an_interaction_that_was_never_registered_is_404(client: FlaskClient) -> None:
    response = client.get(f"{ADDRESS}/{INTERACTION}", headers=bearer(BOFE_TOKEN))

    assert response.status_code == 404
    assert "never registered" in problem(response)["detail"]


def test_a_missing_field_is_named_in_a_422(client: FlaskClient) -> None:
    response = register(client, {"customerId": "x"})

    assert response.status_code == 422
    assert problem(response)["errors"] == {
        "customerId": ["Must be a UUID: 8-4-4-4-12 hexadecimal digits."],
        "interactionId": ["Missing data for required field."],
    }


def test_the_body_of_16_kib_is_taken_and_one_byte_more_is_not(client: FlaskClient) -> None:
    exact = json.dumps(PAIR).encode().ljust(16 * 1024)

    # A WSGI server gives either the length of the body, or a stream that ends by itself.
    ways: list[dict[str, Any]] = [{}, {"environ_overrides": {"wsgi.input_terminated": True}}]
    for more in ways:
        assert register(client, exact, **more).status_code in (200, 201)
        assert register(client, exact + b" ", **more).status_code == 413


def test_two_customers_for_one_interaction_too_late_is_409(client: FlaskClient, gateway: FakeGateway) -> None:
    gateway.fail_with(PairedAlready("innermost"))

    response = register(client)

    assert response.status_code == 409
    assert "innermost" not in response.text
    problem(response)


def test_without_a_commit_it_is_503_and_says_when_to_come_again(client: FlaskClient, gateway: FakeGateway) -> None:
    gateway.fail_with(StorageUnavailable("innermost: disk full", 2.2))

    for response in (register(client), client.get(f"{ADDRESS}/{INTERACTION}", headers=bearer(BOFE_TOKEN))):
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "3"
        assert "innermost" not in response.text
        problem(response)


def test_an_unexpected_error_is_500_without_internals(client: FlaskClient, gateway: FakeGateway) -> None:
    gateway.fail_with(RuntimeError("innermost: SELECT * FROM conversation"))

    response = register(client)

    assert response.status_code == 500
    assert "innermost" not in response.text
    assert problem(response)["title"] == "Internal Server Error"


def test_the_checks_stand_in_the_promised_order() -> None:
    gateway = FakeGateway(GATEWAY_CLIENT_RATE_PER_MINUTE="2")
    client = create_app(gateway).test_client()
    gateway.fail_with(StorageUnavailable("down"))
    # First a request with every mistake; then one mistake less each time.
    wrong: dict[str, Any] = {"data": b"{" * 20_000, "content_type": "text/plain", "headers": bearer("unknown")}

    assert client.put("/nowhere", **wrong).status_code == 404
    assert client.put(ADDRESS, **wrong).status_code == 405
    assert client.post(ADDRESS, **wrong).status_code == 401
    assert client.post(ADDRESS, **wrong | {"headers": bearer(OPS_TOKEN)}).status_code == 403
    wrong["headers"] = bearer(BOFE_TOKEN)
    assert client.post(ADDRESS, **wrong).status_code == 413
    assert client.post(ADDRESS, **wrong | {"data": b"{"}).status_code == 415
    # The two requests above count for this credential. The third is over its limit, which is checked before the size.
    assert client.post(ADDRESS, **wrong).status_code == 429


def test_after_the_size_come_content_type_json_schema_and_commit(client: FlaskClient, gateway: FakeGateway) -> None:
    gateway.fail_with(StorageUnavailable("down"))

    assert register(client, b"[" * 20_000, content_type="text/plain").status_code == 413
    assert register(client, b"[", content_type="text/plain").status_code == 415
    assert register(client, b"[").status_code == 400
    assert register(client, []).status_code == 422
    assert register(client).status_code == 503
    assert gateway.registrations.calls == 1


def test_a_rate_over_the_limit_is_429_with_retry_after() -> None:
    client = create_app(FakeGateway(GATEWAY_CLIENT_RATE_PER_MINUTE="1")).test_client()

    assert register(client).status_code == 201
    response = register(client)

    assert response.status_code == 429
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    problem(response)


@pytest.mark.parametrize("token", ["", "unknown-token", BOFE_TOKEN + "x"])
def test_a_401_says_how_to_authenticate(client: FlaskClient, token: str) -> None:
    response = register(client, token=token)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    problem(response)


def test_roles_open_what_they_are_for(client: FlaskClient) -> None:
    assert [register(client, token=token).status_code for token in (OPS_TOKEN, BACKOFFICE_TOKEN)] == [403, 403]
    shown = [
        client.get(f"{ADDRESS}/{INTERACTION}", headers=bearer(token)).status_code
        for token in (BOFE_TOKEN, OPS_TOKEN, BACKOFFICE_TOKEN)
    ]
    assert shown == [404, 404, 403]


@pytest.mark.parametrize(
    ("method", "address", "allow"),
    [
        ("GET", ADDRESS, "POST"),
        ("HEAD", ADDRESS, "POST"),
        ("OPTIONS", ADDRESS, "POST"),
        ("DELETE", f"{ADDRESS}/{INTERACTION}", "GET, HEAD"),
        ("OPTIONS", f"{ADDRESS}/{INTERACTION}", "GET, HEAD"),
        ("POST", "/livez", "GET, HEAD"),
        ("OPTIONS", "/metrics", "GET, HEAD"),
        ("BREW", "/readyz", "GET, HEAD"),
    ],
)
def test_another_method_is_405_and_told_which_are_allowed(
    client: FlaskClient, method: str, address: str, allow: str
) -> None:
    response = client.open(address, method=method)

    assert response.status_code == 405
    assert response.headers["Allow"] == allow
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("address", ["/livez", "/readyz", "/metrics"])
def test_head_is_get_without_a_body(client: FlaskClient, address: str) -> None:
    response = client.head(address)

    assert (response.status_code, response.data) == (200, b"")


@pytest.mark.parametrize(
    "address", ["/", "/customers", f"{ADDRESS}/", "/%2Flivez", f"{ADDRESS}/{INTERACTION}/", "/static/x", "/livez/"]
)
def test_an_address_that_is_almost_right_is_404_and_no_redirect(client: FlaskClient, address: str) -> None:
    response = client.get(address, headers=bearer(BOFE_TOKEN))

    assert response.status_code == 404
    problem(response)


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [("GET", "/livez", 200), ("POST", ADDRESS, 401), ("GET", ADDRESS, 405), ("GET", "/nowhere", 404)],
)
def test_an_offer_to_go_on_as_a_websocket_changes_nothing(
    client: FlaskClient, method: str, address: str, status: int
) -> None:
    offer = {"Connection": "keep-alive, Upgrade", "Upgrade": "websocket"}

    assert client.open(address, method=method, headers=offer).status_code == status


def test_while_the_gateway_starts_only_livez_and_the_metrics_are_there(
    client: FlaskClient, gateway: FakeGateway
) -> None:
    gateway.serving = False

    assert client.get("/livez").status_code == 200
    assert client.get("/metrics").status_code == 200
    shown = client.get(f"{ADDRESS}/{INTERACTION}", headers=bearer(OPS_TOKEN))
    for response in (client.get("/readyz"), register(client), shown):
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) >= 1
        problem(response)


def test_while_the_gateway_starts_it_says_first_what_is_wrong_with_a_request(
    client: FlaskClient, gateway: FakeGateway
) -> None:
    gateway.serving = False

    assert register(client, token="nobody's-token").status_code == 401
    assert register(client, token=BACKOFFICE_TOKEN).status_code == 403
    assert register(client, b"{").status_code == 400
    assert register(client, {}).status_code == 422
    assert client.get(f"{ADDRESS}/no-uuid", headers=bearer(BOFE_TOKEN)).status_code == 422


def test_a_gateway_that_drains_is_not_ready_and_still_registers(client: FlaskClient, gateway: FakeGateway) -> None:
    gateway.is_ready = False

    assert client.get("/readyz").status_code == 503
    assert register(client).status_code == 201


def test_the_metrics_are_shown_in_the_prometheus_text_format(client: FlaskClient) -> None:
    shown = client.get("/metrics")

    assert shown.content_type.startswith("text/plain; version=0.0.4")
    assert "# TYPE genesys_gateway_conversations gauge" in shown.text.splitlines()


def test_the_metrics_are_shown_as_openmetrics_to_those_who_ask_for_it(client: FlaskClient) -> None:
    shown = client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0,*/*;q=0.1"})

    assert shown.content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert shown.headers["Vary"] == "Accept"
    assert shown.text.endswith("# EOF\n")
