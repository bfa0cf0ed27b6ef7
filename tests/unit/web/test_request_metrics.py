"""Requests are counted by route, method and class of the status, and by nothing that a caller can choose."""

from collections.abc import Iterator
from typing import cast

import pytest
from flask.testing import FlaskClient

from app import create_app
from genesys_gateway.runtime import tracing
from genesys_gateway.runtime.metrics import words
from tests.doubles.web import ADDRESS, BOFE_TOKEN, INTERACTION, PAIR, FakeGateway, bearer

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def client(gateway: FakeGateway) -> Iterator[FlaskClient]:
    with create_app(gateway).test_client() as client:
        yield client


def counted(gateway: FakeGateway) -> dict[tuple[str, str, str], float]:
    """Number of requests by route, method and class, without those that nobody made."""
    return {
        (sample.labels["route"], sample.labels["method"], sample.labels["status"]): sample.value
        for metric in gateway.metrics.http_requests.collect()
        for sample in metric.samples
        if sample.value
    }


def test_each_request_is_counted_once_with_the_class_of_its_answer(client: FlaskClient, gateway: FakeGateway) -> None:
    client.post(ADDRESS, json=PAIR, headers=bearer(BOFE_TOKEN))
    client.post(ADDRESS, json=PAIR)
    client.post(ADDRESS, data=b"{", headers=bearer(BOFE_TOKEN))
    gateway.fail_with(RuntimeError("a defect"))
    client.post(ADDRESS, json=PAIR, headers=bearer(BOFE_TOKEN))
    client.head("/livez")

    assert counted(gateway) == {
        (ADDRESS, "POST", "2xx"): 1,
        (ADDRESS, "POST", "4xx"): 2,
        (ADDRESS, "POST", "5xx"): 1,
        ("/livez", "GET", "2xx"): 1,
    }


def test_an_id_in_the_path_and_an_unknown_path_are_no_labels(client: FlaskClient, gateway: FakeGateway) -> None:
    client.get(f"{ADDRESS}/{INTERACTION}", headers=bearer(BOFE_TOKEN))
    client.get("/nowhere/at/all")
    client.open(ADDRESS, method="BREW")

    assert counted(gateway) == {
        (f"{ADDRESS}/<interaction_id>", "GET", "4xx"): 1,
        (words.NO_ROUTE, "GET", "4xx"): 1,
        (words.NO_ROUTE, "other", "4xx"): 1,
    }


def test_the_time_to_each_answer_is_measured(client: FlaskClient, gateway: FakeGateway) -> None:
    for _ in range(3):
        client.get("/livez")

    labels = {"route": "/livez", "method": "GET"}
    registry = gateway.metrics.registry
    assert registry.get_sample_value("genesys_gateway_http_request_seconds_count", labels) == 3
    assert registry.get_sample_value("genesys_gateway_http_request_seconds_bucket", labels | {"le": "5.0"}) == 3


def test_every_route_has_all_its_series_before_the_first_request(client: FlaskClient, gateway: FakeGateway) -> None:
    shown = client.get("/metrics").text

    for rule in client.application.url_map.iter_rules():
        for status in words.STATUS_CLASSES:
            assert f'http_requests_total{{method="{"POST" if "POST" in (rule.methods or ()) else "GET"}"' in shown
            assert f'route="{rule.rule}",status="{status}"}} 0.0' in shown


def test_a_traced_request_leads_to_its_trace(client: FlaskClient, gateway: FakeGateway) -> None:
    tracing.use(cast("tracing.Tracer", TracerOfOneRequest()))
    try:
        client.get("/livez")
    finally:
        tracing.use(None)

    shown = client.get("/metrics", headers={"Accept": "application/openmetrics-text"}).text
    assert f'# {{trace_id="{TRACE}"}}' in shown


class TracerOfOneRequest:
    """A tracer with one trace, which is always the current one."""

    def current_trace_id(self) -> str:
        return TRACE
