"""One release apart may run together: what the release before does works on the tables of this one, on both databases.

`release_0010.json` holds the statements with which the release of that revision serves, and their results, and
`release_0009.json` those of the release before it, which knew nothing of other instances; `record_release.py` has
recorded them.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, update

from genesys_gateway.domain.outbox import Delivered
from genesys_gateway.storage import Storage
from genesys_gateway.storage.migrate import migrate
from genesys_gateway.storage.portable import database_now
from genesys_gateway.storage.statements import (
    accounting,
    claims,
    conversations,
    coverage,
    instances,
    last_look,
    outbox,
    ownership,
    reconciliation,
)
from genesys_gateway.storage.tables import conversation, instance
from tests.contract import record_release as recorded
from tests.contract.record_release import DAY, LEASE, ME, NOW, A, B, C, D, replay
from tests.doubles import stored_rows as stored
from tests.doubles.runtime import FakeClock

BEFORE = json.loads(Path(__file__).with_name("release_0009.json").read_text())
LATEST = json.loads(Path(__file__).with_name("release_0010.json").read_text())
#: The beginning of a statement whose result holds the number of a session.
OF_A_SESSION = "INSERT INTO tally (session"
#: The one transaction that waits for the end of a lease.
TAKES_OVER = "another one enters"
#: An instance of this release.
NEW = "00000000-0000-4000-8000-0000000000b1"
CLIENT = "f" * 64
LATER = NOW + 400_000


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, clock: FakeClock) -> Iterator[Storage]:
    """An open storage on a new database: its numbers begin at 1, as those of the recorded one did."""
    url = request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "empty_postgres_url"}[request.param])
    migrate(url)
    storage = Storage(url, clock)
    storage.open()
    yield storage
    storage.close()


def kind_of(storage: Storage) -> str:
    return storage.run(lambda connection: connection.dialect.name)


def until(storage: Storage, last: str) -> None:
    """Let the release before do its service until it has done this; each statement must do what it did there."""
    transactions = BEFORE[kind_of(storage)]
    names = [one["name"] for one in transactions]
    play(storage, transactions[: names.index(last) + 1])


def play(storage: Storage, transactions: list[dict[str, Any]]) -> None:
    different = []
    for transaction in transactions:
        if transaction["name"] != TAKES_OVER:
            alive(storage)  # the recorded lease has run out since
        for name, statement, result in replay(storage.run, [transaction]):
            if result != statement["result"] and not statement["sql"].startswith(OF_A_SESSION):
                different.append((name, statement["sql"], statement["result"], result))
    assert different == []


def alive(storage: Storage, *, lease_ms: int = LEASE) -> None:
    """The old instance has just renewed its lease; the time of the record is over."""

    def job(connection: Connection) -> None:
        now = database_now(connection)
        renewed = {"lease_until": now + lease_ms, "renewed_at": now}
        connection.execute(update(instance).where(instance.c.id == ME).values(renewed))

    storage.run(job)


def enter(storage: Storage) -> None:
    storage.run(lambda c: instances.enter(c, NEW, LEASE, client=CLIENT, endpoint="host 127.0.0.1:8080"))


def test_all_that_the_release_before_does_has_the_same_results_here(storage: Storage) -> None:
    until(storage, BEFORE[kind_of(storage)][-1]["name"])


def test_all_that_the_latest_release_does_has_the_same_results_here(storage: Storage) -> None:
    play(storage, LATEST[kind_of(storage)])


def test_beside_an_instance_of_this_release_its_own_work_has_the_same_results(storage: Storage) -> None:
    """Only where it enters and leaves it sees the other one."""
    enter(storage)
    entered, *rest = BEFORE[kind_of(storage)]
    list(replay(storage.run, [entered]))
    play(storage, rest[:-2])


@pytest.fixture
def served(storage: Storage) -> Storage:
    """A database on which the release before has served, and serves."""
    until(storage, "resync: followed")
    alive(storage)
    enter(storage)
    return storage


def facts(storage: Storage) -> dict[str, tuple[str, int]]:
    return {one.id: (one.state, one.conversations) for one in storage.run(instances.listed)}


def adopt(storage: Storage) -> list[str]:
    taken = storage.run(lambda c: ownership.adopt(c, NEW, lease_ms=LEASE, now=LATER, limit=500))
    return sorted(taken.to_follow)


def test_an_instance_of_the_release_before_lives_as_long_as_its_lease(served: Storage) -> None:
    assert facts(served) == {ME: ("running", 4), NEW: ("running", 0)}
    assert adopt(served) == []

    alive(served, lease_ms=-1)

    assert facts(served)[ME] == ("lost", 4)
    assert adopt(served) == [A, B, C, D]
    served.run(instances.forget_ended)
    assert facts(served) == {NEW: ("running", 4)}


def test_its_conversations_are_covered_asked_about_and_closed(served: Storage) -> None:
    alive(served, lease_ms=-1)
    adopt(served)
    served.run(lambda c: coverage.cover(c, [A, B, C, D], channel_id="c-2", owner=NEW, now=LATER, fresh_due_at=LATER))
    due = served.run(lambda c: reconciliation.due(c, owner=NEW, now=LATER, furthest=NOW + 9 * DAY, limit=10))
    assert sorted(one.id for one in due) == [A, B, C, D]
    assert len(served.run(lambda c: reconciliation.doubtful(c, owner=NEW, now=LATER, limit=10))) == 4

    for one in (A, B, C, D):
        ended_as = served.run(lambda c, one=one: stored_close(c, one))  # type: ignore[misc]
        assert ended_as in ("logged", "no_acw")
    claimed = served.run(lambda c: last_look.claim(c, now=LATER, furthest=LATER + DAY, until=LATER + 9, limit=50))
    assert sorted(claimed) == [A, B, C, D]
    balance = served.run(accounting.balance)
    assert (balance.accepted, balance.closed, balance.unaccounted) == (4, 4, 0)


def stored_close(connection: Connection, one: str) -> str | None:
    return conversations.close(
        connection, one, without_record="no_acw", now=LATER, last_look_at=LATER, owner=NEW, latest_look=LATER
    )


def test_what_it_left_in_the_outbox_is_delivered(storage: Storage) -> None:
    until(storage, "claim and crash")
    at = NOW + 6000 + 3 * LEASE

    def deliver(connection: Connection) -> int:
        due = outbox.due(connection, now=at, lease_ms=LEASE, limit=64)
        ready = [claims.ReadyEntry(entry=one) for one in due]
        made = claims.claim(connection, ready, owner=NEW, now=at, lease_ms=LEASE)
        claims.conclude(connection, [(one, Delivered()) for one in made], now=at)
        return len(made)

    assert storage.run(deliver) == 1
    assert storage.run(lambda c: outbox.backlog(c, at)).pending == 0


@pytest.mark.parametrize("leaves", [True, False], ids=["it has left", "its lease is over"])
def test_the_release_before_takes_over_from_an_instance_of_this_one(storage: Storage, leaves: bool) -> None:
    """An upgrade that is taken back, or an old instance that outlives a new one."""
    enter(storage)
    storage.run(lambda c: stored.register(c, A, owner=NEW))
    storage.run(lambda c: c.execute(update(conversation).values(next_owner=NEW, offered_at=NOW)))
    if leaves:
        storage.run(lambda c: instances.leave(c, NEW))
        assert facts(storage)[NEW] == ("left", 1)
    # Before the time at which the statements were recorded.
    storage.run(lambda c: c.execute(update(instance).where(instance.c.id == NEW).values(lease_until=1)))
    (enters,) = [one for one in BEFORE[kind_of(storage)] if one["name"] == "another one enters"]
    (adopts,) = [
        one for one in enters["statements"] if one["sql"].startswith("SELECT conversation.id, conversation.state")
    ]

    (found,) = [result for _, _, result in replay(storage.run, [{"name": "adopt", "statements": [adopts]}])]

    assert [row[0] for row in found] == [A]


def test_what_was_recorded_is_the_release_before_and_both_kinds_of_database() -> None:
    assert set(BEFORE) == {"revision", "sqlite", "postgresql"}
    names = [[one["name"] for one in BEFORE[kind]] for kind in ("sqlite", "postgresql")]
    assert names[0] == names[1] == [name for name, _ in recorded.SERVICE]


def test_this_release_can_be_recorded_for_the_next(storage: Storage) -> None:
    def job(connection: Connection) -> None:
        for _, act in recorded.SERVICE:
            act(connection)

    storage.run(job)
