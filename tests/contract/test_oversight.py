"""What the database tells operators is wrong, on both databases; and two instances that say the same."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, update

from genesys_gateway.oversight.finding import Finding
from genesys_gateway.oversight.watch import Watch
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.storage import Storage, database_now
from genesys_gateway.storage.statements import coverage, instances, oversight
from genesys_gateway.storage.statements.oversight import Counted, Dead
from genesys_gateway.storage.tables import conversation, instance
from tests.doubles import stored_rows as stored
from tests.doubles.runtime import runtime, until
from tests.doubles.stored_rows import DAY, NOW

ME = "00000000-0000-4000-8000-000000000001"
OTHER = "00000000-0000-4000-8000-000000000002"
THIRD = "00000000-0000-4000-8000-000000000003"
A, B, C = (f"633ba5f4-38cd-48fc-bb4c-00000000000{number}" for number in range(1, 4))
LEASE = 60_000

T = TypeVar("T")


class Told:
    """What the database tells, and ways to change that."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def ask(self, statement: Callable[[Connection], T]) -> T:
        return self.storage.run(statement)

    def enter(self, one: str, endpoint: str | None = None, *, seconds_ago: int = 0) -> None:
        self.ask(lambda c: instances.enter(c, one, LEASE, client="client", endpoint=endpoint))
        began = self.ask(database_now) - seconds_ago * 1000
        self.set_instance(one, started_at=began, renewed_at=began)

    def lapse(self, one: str) -> None:
        """Let its lease end; nobody has noticed yet."""
        past = self.ask(database_now) - 1000
        self.set_instance(one, lease_until=past, renewed_at=past)

    def leave(self, one: str) -> None:
        self.ask(lambda c: instances.leave(c, one))

    def set_instance(self, one: str, **values: Any) -> None:
        self.ask(lambda c: c.execute(update(instance).where(instance.c.id == one).values(values)).close())

    def register(self, *ids: str, owner: str = ME) -> None:
        for one in ids:
            self.ask(partial(stored.register, conversation_id=one, owner=owner))

    def cover(self, *ids: str, owner: str = ME) -> None:
        self.ask(lambda c: coverage.cover(c, ids, channel_id="c", owner=owner, now=NOW, fresh_due_at=NOW))

    def set(self, one: str, **values: Any) -> None:
        self.ask(lambda c: c.execute(update(conversation).where(conversation.c.id == one).values(values)).close())

    def lost(self) -> tuple[int, int] | None:
        """Number of lost instances and of their conversations."""
        found = self.ask(oversight.lost)
        return None if found is None else (found.count, found.orphans)

    def known(self) -> list[str]:
        return sorted(one.id for one in self.ask(instances.listed))

    def forget(self) -> None:
        self.ask(instances.forget_ended)


@pytest.fixture
def told(storage: Storage) -> Told:
    return Told(storage)


# --- records, conversations, frames ---


def test_dead_records_are_told_with_their_errors_and_the_first_death(told: Told) -> None:
    def job(connection: Connection) -> None:
        for number, error in enumerate(["HTTP 422", "HTTP 400", "HTTP 422"]):
            stored.put_entries(connection, stored.dead_row(f"r{number}", A, last_error=error, stored_at=NOW))
            stored.put_timeline(connection, A, (NOW + number * 1000, "dead", f"r{number} refused with {error}"))
        stored.put_entries(connection, stored.dead_row("erased", B, content=None))

    assert told.ask(oversight.dead) is None
    told.ask(job)

    refused = "refused with HTTP 422"
    assert told.ask(oversight.dead) == Dead(since=NOW, errors={(refused, "HTTP 422"): 2, (refused, "HTTP 400"): 1})


def test_a_record_that_died_again_is_dead_since_then(told: Told) -> None:
    def job(connection: Connection) -> None:
        stored.put_entries(connection, stored.dead_row("r", A, last_error=None, reason="no valid record"))
        stored.put_timeline(connection, A, (NOW + 1, "dead", "r x"), (NOW + 2, "requeued", "r"), (NOW + 3, "dead", "r"))

    told.ask(job)

    assert told.ask(oversight.dead) == Dead(since=NOW + 3, errors={("no valid record", None): 1})


def test_unresolved_conversations_are_told_until_they_are_logged_or_erased(told: Told) -> None:
    def job(connection: Connection) -> None:
        for number, one in enumerate((A, B, C)):
            row = stored.conversation_row(one, outcome="unresolved", closed_at=NOW + number, erased_at=None)
            stored.put_conversations(connection, row)

    told.ask(job)
    assert told.ask(oversight.unresolved) == Counted(count=3, since=NOW)

    told.set(A, outcome="logged")
    told.set(B, erased_at=NOW + DAY)
    assert told.ask(oversight.unresolved) == Counted(count=1, since=NOW + 2)

    told.set(C, state="pending", outcome=None, closed_at=None)
    assert told.ask(oversight.unresolved) is None


def test_frames_are_told_for_an_hour(told: Told) -> None:
    def job(connection: Connection) -> None:
        stored.put_frame(connection, "{}", at=NOW)
        stored.put_frame(connection, "{}", at=NOW + 1000)

    told.ask(job)

    hour = 3_600_000
    assert told.ask(lambda c: oversight.set_aside(c, NOW + hour - 1)) == Counted(
        count=2, since=NOW, most="not_an_event"
    )
    later = told.ask(lambda c: oversight.set_aside(c, NOW + hour))
    assert (later and later.count) == 1
    assert told.ask(lambda c: oversight.set_aside(c, NOW + hour + 1000)) is None


def test_what_is_uncovered_for_long_is_told_without_released_and_closed_ones(told: Told) -> None:
    told.register(A, B, C)
    told.set(A, uncovered_since=NOW)
    told.set(B, uncovered_since=NOW, released_at=NOW)
    told.set(C, uncovered_since=NOW + 5000)

    assert told.ask(lambda c: oversight.uncovered(c, before=NOW - 1)) is None
    assert told.ask(lambda c: oversight.uncovered(c, before=NOW)) == Counted(count=1, since=NOW)
    assert told.ask(lambda c: oversight.uncovered(c, before=NOW + 5000)) == Counted(count=2, since=NOW)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_what_one_in_doubt_is_said_to_cover_is_uncovered_since_its_last_renewal(told: Told) -> None:
    """Its process holds no lock of an instance, so that it may be gone. On a file there is only one process."""
    told.enter(OTHER, seconds_ago=30)
    told.register(A, B, owner=OTHER)
    told.cover(A, B, owner=OTHER)
    renewed_at = told.ask(database_now) - 20_000
    told.set_instance(OTHER, renewed_at=renewed_at)

    assert told.ask(lambda c: oversight.uncovered(c, before=NOW)) == Counted(count=2, since=renewed_at)


# --- instances ---


def test_while_all_run_or_have_left_none_is_lost(told: Told) -> None:
    told.enter(ME)
    told.enter(OTHER)
    told.leave(OTHER)

    assert told.lost() is None


def test_an_instance_is_lost_from_the_end_of_its_lease_until_another_took_its_place(told: Told) -> None:
    told.enter(ME, seconds_ago=3600)
    told.enter(OTHER, seconds_ago=3600)
    told.lapse(OTHER)
    assert told.lost() == (1, 0), "also before anybody has declared it ended"

    told.ask(lambda c: instances.declare_lapsed(c, [OTHER]))
    told.forget()
    assert told.lost() == (1, 0)
    assert OTHER in told.known()

    told.enter(THIRD)
    assert told.lost() is None
    told.forget()
    assert told.known() == sorted([ME, THIRD])


def test_a_lost_instance_is_told_while_its_conversations_wait_for_another_owner(told: Told) -> None:
    told.enter(ME, seconds_ago=3600)
    told.enter(OTHER, seconds_ago=3600)
    told.register(A, B, owner=OTHER)
    told.lapse(OTHER)
    told.enter(THIRD)
    assert told.lost() == (1, 2)

    told.set(A, owner=ME)
    told.set(B, owner=ME)
    assert told.lost() is None


def test_one_newcomer_does_not_take_the_places_of_two(told: Told) -> None:
    told.enter(ME, seconds_ago=3600)
    told.enter(OTHER, seconds_ago=3600)
    for one in (ME, OTHER):
        told.lapse(one)
    told.ask(lambda c: instances.declare_lapsed(c, [ME, OTHER]))
    told.enter(THIRD)

    told.forget()

    assert told.lost() == (1, 0)
    assert told.known() == sorted([ME, OTHER, THIRD])


def test_one_that_was_restarted_on_purpose_does_not_take_the_place_of_a_lost_one(told: Told) -> None:
    told.enter(ME, "first", seconds_ago=3600)
    told.enter(OTHER, "second", seconds_ago=3600)
    told.lapse(OTHER)
    told.leave(ME)
    told.forget()

    told.enter(THIRD, "first")
    told.forget()

    assert told.lost() == (1, 0)


def test_after_a_restart_on_a_file_nothing_is_lost(told: Told) -> None:
    """The lock of the file proves that the process before is gone, and this one runs in its place."""
    told.enter(OTHER, seconds_ago=1)
    told.register(A, owner=OTHER)
    told.ask(instances.end_all_leases)
    told.enter(ME)
    assert told.lost() == (1, 1), "until its conversation is adopted"

    told.set(A, owner=ME)
    assert told.lost() is None
    told.forget()
    assert told.known() == [ME]


def test_reports_are_those_of_living_instances_that_are_fresh(told: Told) -> None:
    for one in (ME, OTHER, THIRD):
        told.enter(one)
        told.ask(partial(_publish, one))
    told.lapse(OTHER)
    told.set_instance(THIRD, reported_at=told.ask(database_now) - 10_000)

    assert told.ask(lambda c: oversight.reports(c, fresh_ms=6000)) == {ME: f'"{ME}"'}
    told.leave(ME)
    assert told.ask(lambda c: oversight.reports(c, fresh_ms=6000)) == {}


def _publish(one: str, connection: Connection) -> None:
    oversight.publish(connection, one, f'"{one}"')


# --- two instances ---


class Two:
    """Two instances on one database, each with its own findings."""

    def __init__(self, url: str) -> None:
        self.clock = SystemClock()
        self.found: dict[str, list[Finding]] = {ME: [], OTHER: []}
        self.storages = [Storage(url, self.clock, patience_seconds=60.0) for _ in self.found]
        self.watches = [self._watch(one, storage) for one, storage in zip(self.found, self.storages, strict=True)]

    def _watch(self, one: str, storage: Storage) -> Watch:
        storage.open()
        storage.run(lambda c: instances.enter(c, one, LEASE, client="client"))
        watch = Watch(
            storage,
            runtime(self.clock, []),
            identity=Identity(one),
            own=lambda: list(self.found[one]),
            channels=list,
            shared=True,
            lease_seconds=LEASE / 1000,
            patience_seconds=30.0,
        )
        watch.opened()
        return watch

    def find(self, one: str, seconds_ago: int, **facts: int | str) -> int:
        since = self.clock.now() - seconds_ago * 1000
        self.found[one].append(Finding(code="calls_exhausted", since=since, facts=facts))
        return since

    def say(self) -> list[list[tuple[str, int, str]]]:
        """What each of them says."""
        return [[(one.code, one.since, one.text) for one in watch.status().troubles] for watch in self.watches]

    def close(self) -> None:
        for watch, storage in zip(self.watches, self.storages, strict=True):
            watch.stop(5.0)
            storage.close()


@pytest.fixture
def two(postgres_url: str) -> Iterator[Two]:
    made = Two(postgres_url)
    yield made
    made.close()


def test_both_say_what_either_of_them_knows_since_the_same_moment(two: Two) -> None:
    since = two.find(ME, 30, waiting=2, limit=300)
    two.find(OTHER, 10, waiting=3, limit=300)

    text = "Genesys takes no call now, at the limit of 300 a minute, and 5 calls wait."
    until(lambda: two.say() == [[("calls_exhausted", since, text)]] * 2)

    two.found[ME].clear()
    text = "Genesys takes no call now, at the limit of 300 a minute, and 3 calls wait."
    until(lambda: two.say() == [[("calls_exhausted", since, text)]] * 2)

    two.found[OTHER].clear()
    until(lambda: two.say() == [[], []])


def test_both_say_what_the_database_tells_since_the_same_moment(two: Two) -> None:
    def job(connection: Connection) -> None:
        stored.put_frame(connection, "{}", at=two.clock.now() - 5000)
        stored.put_conversations(connection, stored.open_row(A, owner=ME))  # without a registration

    two.storages[0].run(job)

    def agreed() -> bool:
        mine, others = ([(code, since) for code, since, _ in said] for said in two.say())
        return mine == others and {"frames_set_aside", "unaccounted"} <= {code for code, _ in mine}

    until(agreed)


def test_what_one_that_hangs_said_last_is_over_soon(two: Two) -> None:
    two.find(ME, 30)
    until(lambda: all(two.say()))
    two.found[ME].clear()

    until(lambda: not two.watches[1].status().troubles)
