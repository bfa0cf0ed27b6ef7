"""Which server of several a connection is made to."""

from typing import Any

import psycopg
import pytest

from genesys_gateway.storage.servers import Servers

THREE = {"host": "a,b,c", "port": "1,2,3", "dbname": "gateway"}


class OutOfPatience(BaseException):
    """Ends an attempt from outside, as a timeout of gevent does."""


class FakeServers:
    """Three servers; each attempt is noted. A connection is the name of its server."""

    def __init__(self) -> None:
        self.failing: dict[str, BaseException] = {}
        self.asked: list[str] = []

    def connect(self, **options: Any) -> Any:
        self.asked.append(f"{options['host']}:{options['port']}")
        if error := self.failing.get(options["host"]):
            raise error
        return options["host"]


@pytest.fixture
def fake() -> FakeServers:
    return FakeServers()


@pytest.fixture
def servers(fake: FakeServers) -> Servers:
    return Servers(fake.connect)


DOWN = psycopg.OperationalError("down")


def test_the_first_server_that_can_be_used_is_used(servers: Servers, fake: FakeServers) -> None:
    fake.failing = {"a": DOWN}

    assert str(servers.connect(THREE)) == "b"
    assert fake.asked == ["a:1", "b:2"]


def test_a_server_that_failed_is_not_asked_first_again(servers: Servers, fake: FakeServers) -> None:
    fake.failing = {"a": DOWN}
    servers.connect(THREE)
    fake.asked.clear()

    assert str(servers.connect(THREE)) == "b"
    assert fake.asked == ["b:2"]


def test_all_are_asked_once_before_it_fails_and_the_error_says_why_for_each(
    servers: Servers, fake: FakeServers
) -> None:
    fake.failing = {"a": DOWN, "b": psycopg.OperationalError("session is read-only"), "c": DOWN}

    with pytest.raises(psycopg.OperationalError, match="a: down; b: session is read-only; c: down"):
        servers.connect(THREE)

    assert fake.asked == ["a:1", "b:2", "c:3"]


def test_a_server_at_which_the_patience_ended_is_asked_last_by_the_next_caller(
    servers: Servers, fake: FakeServers
) -> None:
    fake.failing = {"a": OutOfPatience()}
    with pytest.raises(OutOfPatience):
        servers.connect(THREE)

    assert str(servers.connect(THREE)) == "b"
    assert fake.asked == ["a:1", "b:2"]


def test_one_port_holds_for_all_hosts_and_no_port_is_the_usual_one(servers: Servers, fake: FakeServers) -> None:
    fake.failing = {"a": DOWN}
    servers.connect({"host": "a,b", "port": 5433})
    servers.connect({"host": "a,b"})

    assert fake.asked == ["a:5433", "b:5433", "b:"]


def test_one_server_gets_the_options_as_they_are(fake: FakeServers) -> None:
    given: list[dict[str, Any]] = []

    def connect(**options: Any) -> Any:
        given.append(options)

    Servers(connect).connect({"dbname": "gateway"})

    assert given == [{"dbname": "gateway"}]
