"""What follows from the answer to one bulk question is stored together, and changes what it would change alone."""

from dataclasses import replace
from typing import Any

import gevent
import pytest
from sqlalchemy import Connection, make_url, select

from genesys_gateway.reconciliation.consequences import Consequences, Pressure, Stored
from genesys_gateway.reconciliation.finding import Finding
from genesys_gateway.reconciliation.plan import Calls
from genesys_gateway.runtime.clock import SteadyTime, SystemClock
from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.storage import Storage
from genesys_gateway.storage.connections import engine_of
from genesys_gateway.storage.statements import coverage, reconciliation
from genesys_gateway.storage.statements.reconciliation import Due
from genesys_gateway.storage.tables import conversation, entry
from tests.doubles.channels import ids
from tests.doubles.counted_storage import CountedStorage
from tests.doubles.genesys import settings
from tests.doubles.runtime import FakeClock
from tests.doubles.stored_rows import EVENT, NOW, OWNER, register

GOES_ON, OVER, WORKED, SHOWS_OVER = SOME = ids(4)
LATER = NOW + 120_000


def follow(storage: Storage, *some: str) -> dict[str, Due]:
    """Conversations that are covered, in doubt, and due."""

    def job(connection: Connection) -> list[Due]:
        for one in some:
            register(connection, one, owner=OWNER)
        coverage.cover(connection, some, channel_id="c", owner=OWNER, now=NOW, fresh_due_at=LATER)
        return reconciliation.due(connection, owner=OWNER, now=LATER, furthest=NOW + 10**10, limit=100)

    return {one.id: one for one in storage.run(job)}


def consequences(storage: Storage) -> Consequences:
    clock = FakeClock(LATER)
    pressure = Pressure(calls=Calls.PLENTY, topics=True)
    return Consequences(storage, settings(), clock, SteadyTime(clock, 3600.0), lambda: pressure)


def row(storage: Storage, one: str) -> dict[str, Any]:
    query = select(conversation).where(conversation.c.id == one)
    found = storage.run(lambda c: c.execute(query).one()._asdict())
    return {name: value for name, value in found.items() if name not in ("id", "created_at")}


def finding(one: str, **values: Any) -> Finding:
    return Finding(asked_at=LATER, **values)


FINDINGS: dict[str, dict[str, Any]] = {
    GOES_ON: {"live": True, "goes_on": True, "evidence": True, "clears_doubt": True, "shown": True},
    OVER: {"live": True, "over": True, "evidence": True, "clears_doubt": True, "shown": True},
    WORKED: {"live": True, "shown": True, "evidence": True},
    SHOWS_OVER: {"lag_ms": 300_000, "shows_over": True, "ended_at": NOW + 5, "shown": True},
}


def findings_of(due: dict[str, Due]) -> dict[Due, Finding]:
    work = replace(EVENT, conversation_id=WORKED)
    return {
        due[one]: finding(one, **values, finished=(work,) if one == WORKED else ()) for one, values in FINDINGS.items()
    }


def test_the_findings_of_one_answer_change_what_they_would_change_alone(storage: Storage) -> None:
    findings = findings_of(follow(storage, *SOME))

    stored = {one.id: replace(what, due_at=None) for one, what in consequences(storage).store_all(findings)}

    assert stored == {
        GOES_ON: Stored(events=0),
        OVER: Stored(events=0, ended_as="no_acw"),
        WORKED: Stored(events=1),
        SHOWS_OVER: Stored(events=0, released=True),
    }
    rows = {one: row(storage, one) for one in SOME}
    assert [rows[one]["in_doubt"] for one in SOME] == [False, False, True, True]
    assert [rows[one]["state"] for one in SOME] == ["subscribed", "closed", "subscribed", "pending"]
    assert [rows[one]["looked_at"] for one in SOME] == [LATER, None, LATER, None]
    assert storage.run(lambda c: c.execute(select(entry.c.conversation_id)).scalars().all()) == [WORKED]


def test_what_proves_nothing_is_stored_by_one_transaction_for_ten(database_url: str) -> None:
    storage = CountedStorage(database_url, SystemClock())
    storage.open()
    due = follow(storage, *ids(20))
    before = storage.jobs
    list(consequences(storage).store_all({one: finding(one.id, shown=True) for one in due.values()}))
    assert storage.jobs - before == 2
    storage.close()


def test_a_conversation_that_others_have_locked_delays_no_other(postgres_url: str) -> None:
    storage = Storage(postgres_url, SystemClock())
    storage.open()
    due = follow(storage, *SOME)
    stored: list[str] = []

    def store_all() -> None:
        stored.extend(one.id for one, _ in consequences(storage).store_all(findings_of(due)))

    with engine_of(make_url(postgres_url), seconds=5.0).connect() as psql:
        psql.execute(select(conversation.c.id).where(conversation.c.id == GOES_ON).with_for_update()).one()
        storing = gevent.spawn(store_all)
        gevent.sleep(0.3)
        assert row(storage, OVER)["state"] == "closed"
        assert GOES_ON not in stored
        psql.rollback()
        storing.join(5)
    assert sorted(stored) == SOME
    storage.close()


def test_a_conversation_that_stays_locked_keeps_no_other_finding_from_being_stored(postgres_url: str) -> None:
    storage = Storage(postgres_url, SystemClock(), patience_seconds=1.0)
    storage.open()
    due = follow(storage, *ids(20))
    locked, *others = due.values()
    work = replace(EVENT, conversation_id=others[0].id)
    findings = {one: finding(one.id, shown=True) for one in due.values()}
    findings[others[0]] = finding(others[0].id, shown=True, finished=(work,))  # stored alone, after the locked one
    stored: list[Due] = []

    with engine_of(make_url(postgres_url), seconds=5.0).connect() as psql:
        psql.execute(select(conversation.c.id).where(conversation.c.id == locked.id).with_for_update()).one()
        with pytest.raises(StorageUnavailable):
            stored.extend(one for one, _ in consequences(storage).store_all(findings))
        psql.rollback()

    assert storage.run(lambda c: c.execute(select(entry.c.conversation_id)).scalars().all()) == [work.conversation_id]
    assert set(stored) == set(others)
    storage.close()
