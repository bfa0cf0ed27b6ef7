"""Fixtures of the HTTP interface's tests: a clock that stands still, a gateway without a database, and its client."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from app import create_app
from tests.doubles.runtime import FakeClock
from tests.doubles.web import FakeGateway


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    gateway = FakeGateway()
    yield gateway
    gateway.close()


@pytest.fixture
def client(gateway: FakeGateway) -> FlaskClient:
    return create_app(gateway).test_client()
