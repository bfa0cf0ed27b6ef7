"""DATABASE_URL may name several servers, in the two forms that SQLAlchemy knows."""

import pytest

from tests.doubles.environment import mistakes, read

PLACE = "postgresql+psycopg://gateway:canary@"


@pytest.mark.parametrize(
    "url",
    [
        f"{PLACE}db.example/gateway",
        f"{PLACE}db.example:5433/gateway?sslmode=verify-full&target_session_attrs=read-write",
        f"{PLACE}db.example/gateway?target_session_attrs=any",
        f"{PLACE}[::1]:5432/gateway",
        f"{PLACE}/gateway?host=a:5432&host=b:5433",
        f"{PLACE}/gateway?host=a:5432&host=b",
        f"{PLACE}/gateway?host=a,b&port=5432,5433",
        f"{PLACE}/gateway?host=a,b&target_session_attrs=primary",
        f"{PLACE}/gateway?host=a,::1",
        f"{PLACE}a,b:5432/gateway",
        f"{PLACE}/gateway?host=/run/postgresql",
        "postgresql+psycopg:///gateway",
    ],
)
def test_one_server_or_several_are_accepted(url: str) -> None:
    assert read(DATABASE_URL=url).database_url == url


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ("a:1,b:2/gateway", "several servers are given as"),
        ("/gateway?host=a:5432,b:5433", "must name hosts or addresses"),
        ("/gateway?host=a,b&port=5432", "don't fit together"),
        ("/gateway?host=a,b&port=1,2,3", "don't fit together"),
        ("/gateway?host=a:1&host=b:2&port=3", "don't fit together"),
        ("/gateway?host=a:x&host=b:2", "don't fit together"),
        ("/gateway?host=a:1:2&host=b:1:2", "don't fit together"),
        ("/gateway?host=[::1]:5432&host=b", "don't fit together"),
        ("/gateway?host=a,", "must name hosts or addresses"),
        ("/gateway?host=a,b&port=0,70000", "ports from 1 to 65535"),
        ("db.example:70000/gateway", "ports from 1 to 65535"),
        ("db.example/gateway?host=a,b", "in one place"),
        ("/gateway?host=a,b&hostaddr=192.0.2.1,192.0.2.2", "hostaddr"),
        ("/gateway?host=a,b&target_session_attrs=any", "target_session_attrs=read-write or primary"),
        ("db.example/gateway?target_session_attrs=standby", "target_session_attrs=read-write or primary or any"),
        ("db.example/gateway?sslmode=require&sslmode=disable", "an option twice"),
    ],
)
def test_servers_that_are_given_wrongly_are_one_mistake_which_says_how(rest: str, words: str) -> None:
    (mistake,) = mistakes(DATABASE_URL=PLACE + rest)

    assert mistake.startswith("DATABASE_URL ")
    assert words in mistake
    assert "canary" not in mistake
