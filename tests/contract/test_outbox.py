"""The statements about entries: claims, how attempts ended, and dead letters, on both databases."""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from sqlalchemy import Row, insert, select, update

from genesys_gateway.domain.outbox import AttemptEnd, Decision, Delivered, Entry, GiveUp, NotBegun, Postponed, TryAgain
from genesys_gateway.domain.record import FirstAttemptFacts
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import claims, timeline
from genesys_gateway.storage.statements import outbox as statements
from genesys_gateway.storage.statements.claims import Claim, ReadyEntry
from genesys_gateway.storage.statements.dead_letters import (
    dead_letters,
    latest_ends,
    reasons,
    requeue,
    requeue_many,
    revive,
)
from genesys_gateway.storage.statements.outbox import Backlog
from genesys_gateway.storage.tables import conversation, entry

T = TypeVar("T")

#: Epoch milliseconds; each statement takes the time as an argument.
NOW = 1_763_805_600_000
LEASE = 20_000
CONVERSATION = "633ba5f4-38cd-48fc-bb4c-d77057990b9e"
CUSTOMER = "11111111-2222-4333-8444-555555555555"
FAILED = TryAgain(after_ms=5000, counted_ms=5000, in_doubt=True, error="HTTP 503")
REFUSED = GiveUp(reason="refused with HTTP 422", in_doubt=False, error="HTTP 422")


class Outbox:
    """An outbox in a database; each method is one transaction."""

    def __init__(self, storage: Storage) -> None:
        self.run = storage.run

    def store(self, record_id: str, **values: Any) -> str:
        row = {
            "id": record_id,
            "conversation_id": CONVERSATION,
            "source": "live",
            "content": "{}",
            "stored_at": NOW,
            "state": "pending",
            "next_at": NOW,
            **values,
        }
        self.run(lambda connection: connection.execute(insert(entry).values(row)).close())
        return record_id

    def register(self, customer_id: str | None = CUSTOMER) -> None:
        row = {
            "id": CONVERSATION,
            "customer_id": customer_id,
            "state": "pending",
            "created_at": NOW,
            "deadline_at": NOW,
        }
        self.run(lambda connection: connection.execute(insert(conversation).values(row)).close())

    def change(self, record_id: str, **values: Any) -> None:
        statement = update(entry).where(entry.c.id == record_id).values(values)
        self.run(lambda connection: connection.execute(statement).close())

    def row(self, record_id: str) -> Row[*tuple[Any, ...]]:
        return self.run(lambda connection: connection.execute(select(entry).where(entry.c.id == record_id)).one())

    def due(self, now: int = NOW, limit: int = 100) -> list[Entry]:
        return self.run(lambda connection: statements.due(connection, now=now, lease_ms=LEASE, limit=limit))

    def due_ids(self, now: int = NOW, limit: int = 100) -> list[str]:
        return [one.id for one in self.due(now, limit)]

    def fresh_ids(self, since: int, now: int = NOW, limit: int = 100) -> list[str]:
        found = self.run(
            lambda connection: statements.unattempted(connection, now=now, lease_ms=LEASE, since=since, limit=limit)
        )
        return [one.id for one in found]

    def claim(self, *wanted: ReadyEntry, now: int = NOW, owner: str = "me") -> list[Claim]:
        return self.run(lambda connection: claims.claim(connection, wanted, owner=owner, now=now, lease_ms=LEASE))

    def claim_one(self, record_id: str, now: int = NOW) -> Claim:
        (one,) = [one for one in self.due(now) if one.id == record_id]
        (claim,) = self.claim(ReadyEntry(entry=one), now=now)
        return claim

    def conclude(self, claim: Claim, decision: Decision, now: int = NOW) -> list[str]:
        return self.run(lambda connection: claims.conclude(connection, [(claim, decision)], now=now))

    def die(self, record_id: str, decision: GiveUp = REFUSED) -> str:
        self.conclude(self.claim_one(self.store(record_id)), decision)
        return record_id

    def timeline(self) -> list[tuple[str, str | None]]:
        return [(item.event, item.detail) for item in self.run(lambda c: timeline.of(c, CONVERSATION))]

    def at_now(self, statement: Callable[..., T], *values: Any, now: int = NOW, **named: Any) -> T:
        return self.run(lambda connection: statement(connection, *values, now=now, **named))


@pytest.fixture
def outbox(storage: Storage) -> Outbox:
    return Outbox(storage)


def test_due_entries_come_longest_due_first(outbox: Outbox) -> None:
    outbox.store("b", next_at=NOW - 1)
    outbox.store("a", next_at=NOW - 2)
    outbox.store("later", next_at=NOW + 1)
    outbox.store("done", state="delivered")
    outbox.store("dead", state="dead")

    assert outbox.due_ids() == ["a", "b"]
    assert outbox.due_ids(limit=1) == ["a"]


def test_fresh_entries_are_new_and_never_tried_newest_first(outbox: Outbox) -> None:
    outbox.store("old", next_at=NOW - 20_000)
    outbox.store("tried", next_at=NOW - 1, attempt=1)
    outbox.store("new", next_at=NOW - 2)
    outbox.store("newest", next_at=NOW - 1)

    assert outbox.fresh_ids(since=NOW - 10_000) == ["newest", "new"]
    assert outbox.fresh_ids(since=NOW - 10_000, limit=1) == ["newest"]


def test_a_claim_takes_the_registered_customer_and_begins_an_attempt(outbox: Outbox) -> None:
    outbox.register()
    outbox.store("r", waited_ms=3000)
    (one,) = outbox.due()

    (claim,) = outbox.claim(ReadyEntry(entry=one, agent_name="Maria Cruz", wrapup_name="Invoice"))

    assert claim.known == FirstAttemptFacts(agent_name="Maria Cruz", wrapup_name="Invoice", customer_id=CUSTOMER)
    assert (claim.number, claim.attempt, claim.crashed) == (1, 1, False)
    row = outbox.row("r")
    assert (row.claim, row.attempt, row.claimed_by, row.claimed_until) == (1, 1, "me", NOW + LEASE)
    assert row.in_doubt, "until its end is stored, the outcome is unknown"
    assert row.waited_ms == 0, "waiting for names does not count towards giving up"
    assert FirstAttemptFacts.from_json(row.names) == claim.known


def test_an_entry_of_an_unknown_conversation_has_no_customer(outbox: Outbox) -> None:
    outbox.store("r")

    assert outbox.claim_one("r").known.customer_id is None


def test_what_was_known_at_the_first_attempt_stands(outbox: Outbox) -> None:
    outbox.register()
    first = outbox.claim_one(outbox.store("r"))
    outbox.conclude(first, FAILED)
    outbox.run(lambda connection: connection.execute(update(conversation).values(customer_id="another")).close())
    (one,) = outbox.due(NOW + 5000)

    (again,) = outbox.claim(ReadyEntry(entry=one, agent_name="Somebody Else"), now=NOW + 5000)

    assert again.known == first.known
    assert (again.number, again.attempt) == (2, 2)


def test_a_claimed_entry_is_nobody_elses_until_the_lease_ends(outbox: Outbox) -> None:
    outbox.store("r")
    (seen,) = outbox.due()
    outbox.claim(ReadyEntry(entry=seen))

    assert outbox.due() == []
    assert outbox.claim(ReadyEntry(entry=seen), owner="other") == []
    assert outbox.due_ids(NOW + LEASE - 1) == []
    assert outbox.due_ids(NOW + LEASE) == ["r"]


def test_a_claim_that_was_never_concluded_leaves_the_next_one_in_doubt(outbox: Outbox) -> None:
    outbox.claim_one(outbox.store("r"))

    again = outbox.claim_one("r", NOW + LEASE)

    assert again.crashed
    assert again.entry.in_doubt


def test_a_claim_from_a_clock_that_was_set_back_does_not_hold_for_ever(outbox: Outbox) -> None:
    outbox.claim_one(outbox.store("r"), NOW)

    assert outbox.due_ids(NOW - 1) == []
    outbox.change("r", next_at=NOW - 86_400_000)
    assert outbox.due_ids(NOW - 3_600_000) == ["r"]


def test_of_two_that_saw_the_same_entry_one_gets_it(outbox: Outbox) -> None:
    outbox.store("r")
    (seen,) = outbox.due()

    assert len(outbox.claim(ReadyEntry(entry=seen))) == 1
    assert outbox.claim(ReadyEntry(entry=seen), now=NOW + LEASE) == [], "another claim has raised its number"


def test_an_entry_that_a_live_event_replaced_meanwhile_is_left_out(outbox: Outbox) -> None:
    outbox.store("r", source="backfill")
    (seen,) = outbox.due()
    outbox.change("r", source="live", content='{"other": "event"}')

    assert outbox.claim(ReadyEntry(entry=seen)) == []


def test_many_are_claimed_at_once_and_those_taken_are_left_out(outbox: Outbox) -> None:
    for n in range(20):
        outbox.store(f"r{n:02}")
    seen = outbox.due()
    outbox.claim(*(ReadyEntry(entry=one) for one in seen[:5]), owner="other")

    claims = outbox.claim(*(ReadyEntry(entry=one) for one in seen))

    # All are due at the same moment, so each database has its own order.
    assert [claim.entry.id for claim in claims] == [one.id for one in seen[5:]]


def test_a_delivered_entry_is_done(outbox: Outbox) -> None:
    claim = outbox.claim_one(outbox.store("r"))

    assert outbox.conclude(claim, Delivered(), NOW + 7) == []

    row = outbox.row("r")
    assert (row.state, row.delivered_at, row.in_doubt, row.claimed_by) == ("delivered", NOW + 7, False, None)
    assert outbox.due(NOW + LEASE) == []
    assert outbox.timeline() == [("delivered", "r")]


def test_a_failed_attempt_is_due_again_after_its_wait(outbox: Outbox) -> None:
    claim = outbox.claim_one(outbox.store("r"))

    outbox.conclude(claim, FAILED)

    row = outbox.row("r")
    assert (row.state, row.next_at, row.waited_ms, row.in_doubt) == ("pending", NOW + 5000, 5000, True)
    assert (row.attempt, row.last_error) == (1, "HTTP 503")
    assert outbox.due_ids(NOW + 4999) == []
    assert not outbox.claim_one("r", NOW + 5000).crashed
    assert outbox.timeline() == [("attempt_failed", "r HTTP 503")]


def test_waits_add_up(outbox: Outbox) -> None:
    outbox.conclude(outbox.claim_one(outbox.store("r")), FAILED)
    outbox.conclude(outbox.claim_one("r", NOW + 5000), FAILED, NOW + 5000)

    assert outbox.row("r").waited_ms == 10_000


def test_a_given_up_entry_is_dead_with_its_reason(outbox: Outbox) -> None:
    outbox.die("r")

    row = outbox.row("r")
    assert (row.state, row.reason, row.last_error) == ("dead", "refused with HTTP 422", "HTTP 422")
    assert outbox.timeline() == [("dead", "r refused with HTTP 422")]


def test_a_claim_that_came_to_nothing_leaves_the_entry_as_it_was(outbox: Outbox) -> None:
    outbox.store("r", waited_ms=7000)
    before = outbox.due()
    (claim,) = outbox.claim(ReadyEntry(entry=before[0], agent_name="Maria Cruz"))

    outbox.conclude(claim, NotBegun())

    (after,) = outbox.due()
    assert after == Entry(**{**{name: getattr(before[0], name) for name in Entry.__slots__}, "claim": 1})
    assert outbox.timeline() == []


def test_a_late_conclusion_changes_nothing(outbox: Outbox) -> None:
    late = outbox.claim_one(outbox.store("r"))
    taken_over = outbox.claim_one("r", NOW + LEASE)

    assert outbox.conclude(late, REFUSED) == ["r"]
    assert outbox.row("r").state == "pending"

    assert outbox.conclude(taken_over, Delivered()) == []
    assert outbox.conclude(taken_over, REFUSED) == ["r"], "a repetition is late too"
    assert outbox.row("r").state == "delivered"
    assert outbox.timeline() == [("delivered", "r")]


def test_the_timeline_is_not_flooded_by_failures_alike(outbox: Outbox) -> None:
    outbox.store("r")
    for n in range(30):
        outbox.conclude(outbox.claim_one("r", NOW + n * 5000), FAILED, NOW + n * 5000)
    other = TryAgain(after_ms=0, counted_ms=0, in_doubt=False, error="not reached")
    outbox.conclude(outbox.claim_one("r", NOW + 30 * 5000), other, NOW + 30 * 5000)

    events = outbox.timeline()
    assert len(events) == 11
    assert events[-1] == ("attempt_failed", "r not reached")


def test_a_long_error_is_cut(outbox: Outbox) -> None:
    long = TryAgain(after_ms=0, counted_ms=0, in_doubt=False, error="x" * 500)

    outbox.conclude(outbox.claim_one(outbox.store("r")), long)

    assert outbox.row("r").last_error == "x" * 200


def test_waiting_for_names_counts_before_the_first_attempt(outbox: Outbox) -> None:
    outbox.store("r")
    outbox.store("taken")
    seen = outbox.due()
    outbox.claim_one("taken")

    outbox.at_now(statements.postpone, [Postponed(entry=one, wait_ms=2000, spent_ms=2500) for one in seen])

    assert (outbox.row("r").next_at, outbox.row("r").waited_ms) == (NOW + 2000, 2500)
    assert (outbox.row("taken").next_at, outbox.row("taken").waited_ms) == (NOW, 0)


def test_entries_that_wait_for_another_attempt_are_hastened_oldest_first(outbox: Outbox) -> None:
    outbox.store("younger", stored_at=NOW - 10, attempt=3, next_at=NOW + 1000)
    outbox.store("due already", stored_at=NOW - 15, attempt=3, next_at=NOW - 1)
    outbox.store("older", stored_at=NOW - 20, attempt=1, next_at=NOW + 100_000)
    outbox.store("of the future", stored_at=NOW + 99, attempt=1, next_at=NOW + 100)
    outbox.store("without names", stored_at=NOW - 30, attempt=0, next_at=NOW + 2000)

    outbox.at_now(statements.hasten, longest_back_off_ms=1)

    assert outbox.due_ids() == ["older", "due already", "younger", "of the future"]


def test_what_was_tried_often_comes_later_than_its_age_would_say(outbox: Outbox) -> None:
    outbox.store("bad", stored_at=NOW - 90_000, attempt=1_000_000, next_at=NOW + 100_000)
    outbox.store("older, tried twice", stored_at=NOW - 15_000, attempt=2, next_at=NOW + 1000)
    outbox.store("younger, tried once", stored_at=NOW - 9000, attempt=1, next_at=NOW + 1000)

    outbox.at_now(statements.hasten, longest_back_off_ms=10_000)

    assert outbox.due_ids() == ["younger, tried once", "older, tried twice", "bad"]


def test_a_wait_that_is_cut_short_counts_only_as_far_as_it_was_waited_for(outbox: Outbox) -> None:
    outbox.store("cut short", stored_at=NOW - 500_000, attempt=2, next_at=NOW + 200_000, waited_ms=300_000)
    outbox.store("was over", stored_at=NOW - 500_000, attempt=2, next_at=NOW - 1, waited_ms=300_000)

    outbox.at_now(statements.hasten, longest_back_off_ms=300_000)

    assert (outbox.row("cut short").waited_ms, outbox.row("was over").waited_ms) == (100_000, 300_000)


def test_the_next_due_time_is_returned_and_lost_ones_are_due_now(outbox: Outbox) -> None:
    assert outbox.at_now(statements.next_due, furthest_ms=3_600_000, longest_back_off_ms=300_000) is None
    outbox.store("soon", next_at=NOW + 1234)
    assert outbox.at_now(statements.next_due, furthest_ms=3_600_000, longest_back_off_ms=300_000) == 1234

    outbox.store("lost", next_at=NOW + 86_400_000)
    assert outbox.at_now(statements.next_due, furthest_ms=3_600_000, longest_back_off_ms=300_000) == 0
    assert outbox.due_ids() == ["lost"]


def test_only_an_entry_that_was_attempted_may_wait_longer_than_a_back_off(outbox: Outbox) -> None:
    outbox.store("held by a Retry-After", attempt=1, next_at=NOW + 3_000_000)
    assert outbox.at_now(statements.next_due, furthest_ms=3_600_000, longest_back_off_ms=300_000) == 3_000_000

    outbox.store("new", next_at=NOW + 3_000_000)
    assert outbox.at_now(statements.next_due, furthest_ms=3_600_000, longest_back_off_ms=300_000) == 0
    assert outbox.due_ids() == ["new"]


def test_claims_of_the_last_process_end_at_the_start_of_a_sqlite_one(outbox: Outbox, database_url: str) -> None:
    outbox.claim_one(outbox.store("r"))

    released = outbox.run(statements.release)

    if database_url.startswith("sqlite"):
        assert released == 1
        assert outbox.claim_one("r").crashed
    else:
        assert released == 0
        assert outbox.due() == []


def test_the_backlog_counts_what_waits_and_what_is_dead(outbox: Outbox) -> None:
    assert outbox.run(lambda c: statements.backlog(c, NOW)) == Backlog(pending=0, dead=0, oldest_ms=0)
    outbox.die("d")
    outbox.store("a", stored_at=NOW - 500)
    outbox.store("b")
    outbox.store("c", state="delivered", stored_at=NOW - 9000)

    assert outbox.run(lambda connection: statements.backlog(connection, NOW)) == Backlog(
        pending=2, dead=1, oldest_ms=500
    )


def test_a_requeued_entry_starts_afresh(outbox: Outbox) -> None:
    outbox.register()
    outbox.die("r")

    assert outbox.at_now(requeue, "r", why="by hand", now=NOW + 9)

    row = outbox.row("r")
    assert (row.state, row.reason, row.next_at, row.waited_ms, row.names) == ("pending", None, NOW + 9, 0, None)
    assert row.attempt == 1, "an attempt has begun: its customer can no longer change"
    assert outbox.timeline()[-1] == ("requeued", "r by hand")


def test_a_requeued_entry_in_doubt_will_be_looked_up_and_sends_the_same(outbox: Outbox) -> None:
    outbox.die("r", GiveUp(reason="tried for too long", in_doubt=True, error="HTTP 503"))
    known = outbox.row("r").names

    outbox.at_now(requeue, "r", why="by hand")

    assert outbox.row("r").in_doubt
    assert outbox.row("r").names == known


@pytest.mark.parametrize("state", ["pending", "delivered"])
def test_only_the_dead_are_requeued(outbox: Outbox, state: str) -> None:
    outbox.store("r", state=state, next_at=NOW + 77)

    assert not outbox.at_now(requeue, "r", why="by hand")
    assert not outbox.at_now(requeue, "unknown", why="by hand")
    assert (outbox.row("r").state, outbox.row("r").next_at) == (state, NOW + 77)


def test_an_erased_entry_can_not_be_requeued(outbox: Outbox) -> None:
    outbox.die("r")
    outbox.change("r", content=None)

    assert not outbox.at_now(requeue, "r", why="by hand")


def test_several_are_requeued_and_the_reasons_are_counted(outbox: Outbox) -> None:
    for n in range(5):
        outbox.die(f"r{n}")
    outbox.die("other", GiveUp(reason="tried for too long", in_doubt=False, error="HTTP 503"))
    assert outbox.run(reasons) == {REFUSED.reason: 5, "tried for too long": 1}

    assert outbox.at_now(requeue_many, [f"r{n}" for n in range(5)], why="by hand").count == 5

    assert outbox.run(reasons) == {"tried for too long": 1}


def test_wrongly_refused_ones_are_revived_and_nobody_else(outbox: Outbox) -> None:
    outbox.die("a")
    outbox.die("b")
    outbox.store("waiting", next_at=NOW + 77)

    assert outbox.at_now(revive, ["a", "waiting", "unknown"]).count == 1

    assert [outbox.row(name).state for name in ("a", "b", "waiting")] == ["pending", "dead", "pending"]
    assert outbox.row("waiting").next_at == NOW + 77
    assert outbox.timeline()[-1] == ("requeued", "a every record was refused alike")


REFUSED_OTHERWISE = GiveUp(reason="refused with HTTP 400", in_doubt=False, error="HTTP 400")
TOO_LONG = GiveUp(reason="tried for too long", in_doubt=True, error="HTTP 503")


def test_how_the_latest_attempts_ended_is_found_oldest_first(outbox: Outbox) -> None:
    failed = TryAgain(after_ms=1, counted_ms=1, in_doubt=False, error="HTTP 403")
    results: list[Decision] = [REFUSED, Delivered(), failed, TOO_LONG, REFUSED_OTHERWISE, NotBegun()]
    for n, end in enumerate(results):
        outbox.conclude(outbox.claim_one(outbox.store(str(n))), end)

    assert outbox.run(latest_ends) == [
        AttemptEnd(record_id="0", error="HTTP 422", dead=True),
        AttemptEnd(record_id="1", error=None, dead=False),
        AttemptEnd(record_id="2", error="HTTP 403", dead=False),
        AttemptEnd(record_id="4", error="HTTP 400", dead=True),
    ]


def test_dead_letters_are_shown_oldest_first(outbox: Outbox) -> None:
    outbox.die("young")
    outbox.die("old", GiveUp(reason="tried for too long", in_doubt=True, error="HTTP 503"))
    outbox.change("old", stored_at=NOW - 5)

    shown = outbox.run(lambda connection: dead_letters(connection, limit=10))

    assert [(one.id, one.reason, one.in_doubt) for one in shown] == [
        ("old", "tried for too long", True),
        ("young", "refused with HTTP 422", False),
    ]
    only = outbox.run(lambda connection: dead_letters(connection, limit=10, reason="refused with HTTP 422"))
    assert [one.id for one in only] == ["young"]
