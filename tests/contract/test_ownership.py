"""Owners of conversations: covered, adopted, handed over and offered by several instances, on both databases."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, select, update
from sqlalchemy.pool import NullPool

from genesys_gateway.storage import Storage, instance_lock
from genesys_gateway.storage.portable import database_now
from genesys_gateway.storage.statements import accounting, conversations, coverage, instances, ownership
from genesys_gateway.storage.tables import conversation, entry, instance
from tests.doubles import stored_rows as stored
from tests.doubles.runtime import FakeClock
from tests.doubles.stored_rows import NOW

ME = "00000000-0000-4000-8000-000000000001"
OTHER = "00000000-0000-4000-8000-000000000002"
THIRD = "00000000-0000-4000-8000-000000000003"
A, B = "633ba5f4-38cd-48fc-bb4c-000000000001", "633ba5f4-38cd-48fc-bb4c-000000000002"
LEASE = 60_000
ENDPOINT = "host 127.0.0.1:8080 kernel"


class Owners:
    """Conversations and instances, each statement in its own transaction."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.run = storage.run

    def enter(self, one: str = OTHER, lease: int = LEASE, client: str | None = "client", **names: str) -> None:
        self.run(lambda c: instances.enter(c, one, lease, client=client, **names))

    def register(self, *ids: str, owner: str = OTHER) -> None:
        for one in ids:
            self.run(partial(stored.register, conversation_id=one, owner=owner))

    def cover(self, *ids: str, owner: str = OTHER, now: int = NOW) -> list[str]:
        return self.run(
            lambda c: coverage.cover(c, ids, channel_id=f"of-{owner}", owner=owner, now=now, fresh_due_at=now)
        )

    def uncover(self, *ids: str, owner: str = OTHER, since: int = NOW, now: int = NOW) -> None:
        self.run(lambda c: coverage.uncover(c, ids, owner=owner, since=since, now=now))

    def adopt(self, owner: str = ME) -> list[str]:
        return self.run(lambda c: ownership.adopt(c, owner, lease_ms=LEASE, now=NOW, limit=500)).to_follow

    def take_over(self, owner: str = ME, limit: int = 500) -> list[str]:
        return self.run(lambda c: ownership.take_over(c, owner, limit=limit)).to_follow

    def drain(self, one: str = OTHER) -> None:
        self.run(lambda c: instances.drain(c, one))

    def leave(self, one: str = OTHER) -> None:
        self.run(lambda c: instances.leave(c, one))

    def set(self, one: str, **values: Any) -> None:
        self.run(lambda c: c.execute(update(conversation).where(conversation.c.id == one).values(values)).close())

    def set_instance(self, one: str, **values: Any) -> None:
        self.run(lambda c: c.execute(update(instance).where(instance.c.id == one).values(values)).close())

    def row(self, one: str = A) -> Any:
        return self.run(lambda c: c.execute(select(conversation).where(conversation.c.id == one)).one())

    def shown(self, one: str = A) -> str:
        view = self.run(lambda c: conversations.view(c, one))
        assert view is not None
        return view.state

    def timeline(self, one: str = A) -> list[str]:
        return [event for event, _ in self.run(lambda c: stored.get_timeline(c, one))]

    def time(self) -> int:
        return self.run(database_now)


class Processes:
    """Sessions on PostgreSQL that hold the locks of instances, as their processes do."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self._sessions: dict[str, Connection] = {}

    def start(self, *instance_ids: str) -> None:
        for one in instance_ids:
            self._sessions[one] = self._engine.connect()
            assert instance_lock.take(self._sessions[one], one)

    def end(self, instance_id: str) -> None:
        session = self._sessions.pop(instance_id)
        instance_lock.free_all(session)  # the server notices the end of a session a moment later
        session.close()

    def close(self) -> None:
        for session in self._sessions.values():
            session.close()
        self._engine.dispose()


@pytest.fixture
def owners(storage: Storage) -> Owners:
    return Owners(storage)


@pytest.fixture
def shared(postgres_url: str) -> Iterator[Owners]:
    """On PostgreSQL only."""
    storage = Storage(postgres_url, FakeClock())
    storage.open()
    yield Owners(storage)
    storage.close()


@pytest.fixture
def processes(postgres_url: str) -> Iterator[Processes]:
    made = Processes(postgres_url)
    yield made
    made.close()


# --- cover and uncover ---


def test_only_the_owner_covers_and_others_are_told_that_it_is_not_theirs(owners: Owners) -> None:
    owners.register(A)
    assert owners.cover(A, owner=ME) == [A]
    assert owners.row().state == "pending"
    assert owners.cover(A) == []
    assert (owners.row().state, owners.row().owner) == ("subscribed", OTHER)
    assert owners.cover(A, owner=ME) == [A]
    assert owners.row().channel_id == f"of-{OTHER}"


def test_what_is_closed_or_released_is_nobodys(owners: Owners) -> None:
    owners.register(A, B)
    owners.run(lambda c: conversations.close(c, A, without_record="no_acw", now=NOW, last_look_at=NOW) and None)
    owners.set(B, released_at=NOW)
    assert owners.cover(A, B, owner=ME) == []


def test_a_loss_that_another_instance_reports_leaves_a_doubt_and_changes_no_owner(owners: Owners) -> None:
    """It reports what it covered before this one took it over."""
    owners.register(A, owner=ME)
    owners.cover(A, owner=ME)
    owners.set(A, in_doubt=False, due_at=NOW + 999)
    owners.uncover(A, owner=OTHER, since=NOW - 50, now=NOW + 10)
    row = owners.row()
    assert (row.state, row.owner, row.channel_id) == ("subscribed", ME, f"of-{ME}")
    assert (row.in_doubt, row.due_at, row.covered_at) == (True, NOW + 10, NOW + 10)
    assert "uncovered" not in owners.timeline()


# --- planned hand-over ---


def test_a_covered_one_is_handed_over_without_a_doubt(shared: Owners, processes: Processes) -> None:
    shared.enter()
    shared.enter(ME)
    processes.start(OTHER)
    shared.register(A)
    shared.cover(A)
    shared.set(A, in_doubt=False, due_at=NOW + 999, covered_at=NOW)
    shared.drain()
    assert shared.take_over() == [A]
    assert (shared.row().owner, shared.row().next_owner) == (OTHER, ME)
    assert shared.cover(A, owner=ME, now=NOW + 5) == []
    row = shared.row()
    assert (row.owner, row.next_owner, row.state, row.channel_id) == (ME, None, "subscribed", f"of-{ME}")
    assert (row.in_doubt, row.due_at, row.covered_at) == (False, NOW + 999, NOW)
    assert shared.timeline() == ["registered", "subscribed"]
    assert shared.cover(A, owner=OTHER) == [A]


@pytest.mark.parametrize("doubt", ["process", "lease", "ended"])
def test_if_it_is_not_certain_that_it_was_covered_until_then_it_has_a_gap(
    shared: Owners, processes: Processes, doubt: str
) -> None:
    shared.enter()
    processes.start(OTHER)
    shared.register(A)
    shared.cover(A)
    shared.set(A, in_doubt=False, due_at=NOW + 999)
    shared.drain()
    shared.take_over()
    if doubt == "process":
        processes.end(OTHER)
    elif doubt == "lease":
        shared.set_instance(OTHER, renewed_at=shared.time() - LEASE * 2 // 3 - 1)
    else:
        shared.set_instance(OTHER, ended_at=shared.time())
    shared.cover(A, owner=ME, now=NOW + 5)
    row = shared.row()
    assert (row.owner, row.state, row.in_doubt) == (ME, "subscribed", True)
    assert (row.due_at, row.covered_at) == (NOW + 5, NOW + 5)


def test_what_a_draining_instance_does_not_cover_changes_its_owner_at_once(owners: Owners) -> None:
    owners.enter()
    owners.register(A, B)
    owners.set(B, released_at=NOW)
    assert owners.take_over() == []
    owners.drain()
    assert owners.take_over() == [A]
    assert (owners.row(A).owner, owners.row(A).epoch) == (ME, 1)
    assert owners.row(B).owner == ME
    assert owners.run(lambda c: ownership.remaining_of(c, OTHER)) == set()


def test_one_channel_after_the_other_is_handed_over(owners: Owners) -> None:
    owners.enter()
    many = [f"633ba5f4-38cd-48fc-bb4c-{number:012d}" for number in range(10)]
    owners.register(*many)
    owners.cover(*many)
    for one in many[::2]:
        owners.set(one, channel_id="of-another")
    owners.drain()
    assert sorted(owners.take_over(limit=5)) == many[1::2]


def test_what_one_instance_is_taking_over_no_other_takes(owners: Owners) -> None:
    owners.enter()
    owners.enter(ME)
    owners.enter(THIRD)
    owners.register(A)
    owners.cover(A)
    owners.drain()
    assert owners.take_over() == [A]
    assert owners.take_over(THIRD) == []
    assert owners.take_over() == [], "it was told already"
    owners.leave()
    assert owners.adopt(THIRD) == []
    assert owners.adopt() == [A]


@pytest.mark.parametrize("end", ["leave", "drain"])
def test_if_the_next_owner_ends_or_drains_another_takes_it(owners: Owners, end: str) -> None:
    owners.enter()
    owners.enter(ME)
    owners.register(A)
    owners.cover(A)
    owners.drain()
    owners.take_over(ME)
    getattr(owners, end)(ME)
    assert owners.take_over(THIRD) == [A]
    owners.take_over(ME)
    owners.leave()
    assert owners.adopt(THIRD) == [A]


def test_what_it_is_taking_over_counts_as_followed_and_pending(owners: Owners) -> None:
    owners.enter()
    owners.register(A)
    owners.cover(A)
    owners.drain()
    owners.take_over()
    assert owners.run(lambda c: ownership.followed_by(c, ME)) == {A: "pending"}
    assert owners.run(lambda c: ownership.pending_of(c, ME)) == [A]
    assert owners.run(lambda c: ownership.remaining_of(c, OTHER)) == {A}
    assert owners.run(lambda c: ownership.offers(c, ME, [A])).taken == []


def test_before_its_sockets_close_it_stores_what_nobody_took(owners: Owners) -> None:
    owners.register(A)
    owners.register(B, owner=ME)
    owners.cover(A)
    owners.cover(B, owner=ME)
    given_up = owners.run(lambda c: ownership.give_up(c, OTHER, since=NOW - 10, now=NOW, limit=10))
    assert given_up == 1
    row = owners.row(A)
    assert (row.state, row.uncovered_since, row.in_doubt, row.channel_id) == ("pending", NOW - 10, True, None)
    assert owners.timeline(A)[-1] == "uncovered"
    assert owners.row(B).state == "subscribed"


# --- offers ---


def test_what_is_offered_is_taken_by_one(owners: Owners) -> None:
    owners.register(A, B)
    owners.cover(B)
    owners.run(lambda c: ownership.offer(c, OTHER, [A, B], now=NOW))
    assert [owners.row(one).offered_at for one in (A, B)] == [NOW, None]
    taken = [owners.run(partial(ownership.take_offered, instance_id=one, limit=9)) for one in (OTHER, ME, THIRD)]
    assert [each.to_follow for each in taken] == [[], [A], []]
    assert owners.row(A).owner == ME
    offers = owners.run(lambda c: ownership.offers(c, OTHER, [A, B]))
    assert (offers.taken, offers.open) == ([A], [])


def test_an_offer_ends_when_its_owner_finds_a_place(owners: Owners) -> None:
    owners.register(A)
    owners.run(lambda c: ownership.offer(c, OTHER, [A], now=NOW))
    owners.cover(A)
    assert owners.row().offered_at is None
    assert owners.run(lambda c: ownership.take_offered(c, ME, limit=9)).total == 0


def test_nobody_offers_what_is_not_its_own(owners: Owners) -> None:
    owners.register(A)
    owners.run(lambda c: ownership.offer(c, ME, [A], now=NOW))
    assert owners.row().offered_at is None


# --- how instances end ---


def test_an_instance_is_proven_dead_by_its_process_and_its_lock(shared: Owners, processes: Processes) -> None:
    processes.start(OTHER)
    shared.enter(endpoint=ENDPOINT, process="1 1")

    def declared(gone: bool = True, endpoint: str = ENDPOINT) -> list[str]:
        return shared.run(lambda c: instances.declare_proven(c, ME, endpoint, is_gone=lambda _: gone))

    assert declared() == [], "its lock is held"
    processes.end(OTHER)
    assert declared(gone=False) == []
    assert declared(endpoint="elsewhere") == []
    assert declared() == [OTHER]
    assert declared() == []
    assert shared.run(lambda c: instances.renew(c, OTHER, LEASE)) is False


def test_a_lease_that_was_renewed_meanwhile_is_not_declared_lapsed(owners: Owners) -> None:
    owners.enter(lease=-1)
    owners.enter(ME)
    assert owners.run(lambda c: instances.declare_lapsed(c, [ME])) == []
    owners.run(lambda c: instances.renew(c, OTHER, LEASE))
    assert owners.run(lambda c: instances.declare_lapsed(c, [OTHER])) == []
    owners.run(lambda c: instances.renew(c, OTHER, -1))
    assert owners.run(lambda c: instances.declare_lapsed(c, [OTHER])) == [OTHER]
    assert owners.run(lambda c: instances.renew(c, OTHER, LEASE)) is False


@pytest.mark.parametrize(("how", "ended"), [("left", True), ("lapsed", False)])
def test_claims_end_with_an_instance_that_left_and_run_out_after_one_that_lapsed(
    owners: Owners, how: str, ended: bool
) -> None:
    owners.enter(lease=-1)
    until = owners.time() + 50_000
    row = stored.pending_row("e", A, claimed_by=OTHER, claimed_until=until)
    owners.run(lambda c: stored.put_entries(c, row))
    if how == "left":
        owners.leave()
    else:
        owners.run(lambda c: instances.declare_lapsed(c, [OTHER]))
    left = owners.run(lambda c: c.execute(select(entry.c.claimed_until)).scalar_one())
    assert left is not None
    assert (left < until) is ended


def test_an_instance_of_the_release_before_is_judged_by_its_lease_alone(owners: Owners) -> None:
    owners.enter(client=None)
    owners.register(A)
    assert owners.adopt() == []
    assert owners.run(lambda c: instances.leases_of_others(c, ME)) == {}
    owners.set_instance(OTHER, lease_until=owners.time() - 1)
    assert owners.adopt() == [A]


def test_one_that_was_lost_is_listed_until_another_has_entered_in_its_place(owners: Owners) -> None:
    owners.enter(lease=-1)
    owners.run(lambda c: instances.declare_lapsed(c, [OTHER]))
    owners.run(instances.forget_ended)
    assert [(one.id, one.state) for one in owners.run(instances.listed)] == [(OTHER, "lost")]
    owners.set_instance(OTHER, renewed_at=owners.time() - 1000)
    owners.enter(ME)
    owners.run(instances.forget_ended)
    assert [(one.id, one.state) for one in owners.run(instances.listed)] == [(ME, "running")]


def test_instances_are_listed_with_what_they_have(owners: Owners) -> None:
    owners.enter(ME)
    owners.enter(OTHER)
    owners.register(A, B)
    owners.run(lambda c: instances.channel_created(c, "c", OTHER, now=NOW, expires_at=NOW))
    owners.drain()
    owners.leave(ME)
    listed = owners.run(instances.listed)
    assert [(one.id, one.state, one.channels, one.conversations) for one in listed] == [
        (OTHER, "draining", 1, 2),
        (ME, "left", 0, 0),
    ]


# --- what is shown ---


def test_subscribed_is_shown_only_while_it_is_certain_that_the_owner_listens(
    shared: Owners, processes: Processes
) -> None:
    shared.enter()
    shared.register(A)
    shared.cover(A)
    assert shared.shown() == "pending", "its process does not hold its lock"
    processes.start(OTHER)
    assert shared.shown() == "subscribed"
    assert shared.run(accounting.balance).states == {"subscribed": 1}
    shared.set_instance(OTHER, renewed_at=shared.time() - LEASE * 2 // 3 - 1)
    assert shared.shown() == "pending"
    balance = shared.run(accounting.balance)
    assert (balance.states, balance.uncovered, balance.unaccounted) == ({"pending": 1}, 1, 0)
    shared.run(lambda c: instances.renew(c, OTHER, LEASE))
    assert shared.shown() == "subscribed"
    shared.run(lambda c: instances.renew(c, OTHER, LEASE, covers=False))
    assert shared.shown() == "subscribed"
    processes.end(OTHER)
    assert shared.shown() == "pending"
    processes.start(OTHER)
    shared.leave()
    assert shared.shown() == "pending"


def test_of_the_release_before_it_is_shown_as_long_as_its_lease_lasts(shared: Owners) -> None:
    shared.enter(client=None)
    shared.register(A)
    shared.cover(A)
    assert shared.shown() == "subscribed"
    shared.set_instance(OTHER, lease_until=shared.time() - 1)
    assert shared.shown() == "pending"


def test_a_renewal_that_covers_nothing_does_not_move_the_time_since_which_all_is_certain(owners: Owners) -> None:
    owners.enter()
    owners.set_instance(OTHER, renewed_at=5)
    owners.run(lambda c: instances.renew(c, OTHER, LEASE, covers=False))
    (row,) = owners.run(lambda c: c.execute(select(instance)).all())
    assert (row.renewed_at, row.lease_until > owners.time()) == (5, True)
