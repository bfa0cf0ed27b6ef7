"""The statements about conversations, each by itself and two at the same moment, on both databases."""

from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event
from sqlalchemy import Connection, event, update

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.runtime.errors import PairedAlready
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import (
    accounting,
    conversations,
    coverage,
    instances,
    intake,
    last_look,
    reconciliation,
)
from genesys_gateway.storage.statements.conversations import ConversationView, Pairing
from genesys_gateway.storage.statements.intake import IntakeResult
from genesys_gateway.storage.statements.reconciliation import Due
from genesys_gateway.storage.tables import conversation, entry
from tests.doubles import stored_rows as stored
from tests.doubles.runtime import FakeClock
from tests.doubles.stored_rows import (
    CONVERSATION,
    CUSTOMER,
    DEADLINE,
    FOLLOW_MS,
    NOW,
    OTHER_CONVERSATION,
    OTHER_CUSTOMER,
    OWNER,
)

EVENT = AcwEvent(conversation_id=CONVERSATION, participant_id="p", session_id="s", event_time=NOW)


class Conversations:
    """The statements about conversations, each in its own transaction."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        # Nobody else is believed to cover a conversation.
        storage.run(lambda c: instances.enter(c, OWNER, 600_000))

    def register(
        self, customer: str = CUSTOMER, one: str = CONVERSATION, *, now: int = NOW, owner: str = OWNER
    ) -> tuple[Pairing, ConversationView]:
        return self.storage.run(lambda c: stored.register(c, one, customer, now=now, owner=owner))

    def cover(self, *ids: str, now: int = NOW, channel: str = "c-1") -> None:
        self.storage.run(
            lambda c: coverage.cover(
                c, ids or [CONVERSATION], channel_id=channel, owner=OWNER, now=now, fresh_due_at=now
            )
        )

    def uncover(self, *ids: str, since: int = NOW, now: int = NOW) -> None:
        self.storage.run(lambda c: coverage.uncover(c, ids or [CONVERSATION], owner=OWNER, since=since, now=now))

    def put(self, event: AcwEvent = EVENT, source: str = intake.LIVE, now: int = NOW) -> IntakeResult:
        return self.storage.run(lambda c: put_event(c, event, source, now))

    def close(self, outcome: str = conversations.NO_ACW, now: int = NOW, **more: Any) -> str | None:
        return self.storage.run(lambda c: close(c, outcome, now, **more))

    def begin_delivery(self) -> None:
        self.storage.run(lambda c: c.execute(update(entry).values(attempt=1)) and None)

    def erase(self) -> None:
        self.storage.run(lambda c: c.execute(update(conversation).values(customer_id=None, erased_at=NOW)) and None)

    def view(self, one: str = CONVERSATION) -> ConversationView:
        view = self.storage.run(lambda c: conversations.view(c, one))
        assert view is not None
        return view

    def timeline(self) -> list[str]:
        return [item.event for item in self.view().timeline]

    def due(self, now: int = NOW, furthest: int = NOW + 10**12, limit: int = 10) -> list[Due]:
        return self.storage.run(lambda c: reconciliation.due(c, owner=OWNER, now=now, furthest=furthest, limit=limit))

    def row(self, one: str = CONVERSATION) -> dict[str, Any]:
        query = conversation.select().where(conversation.c.id == one)
        return self.storage.run(lambda c: c.execute(query).one()._asdict())

    def check_balance(self) -> None:
        balance = self.storage.run(accounting.balance)
        assert balance.accepted == sum(balance.states.values())
        assert balance.unaccounted == 0


def put_event(
    connection: Connection, event: AcwEvent = EVENT, source: str = intake.LIVE, now: int = NOW
) -> IntakeResult:
    return intake.put(connection, event, source, now=now, due_at=now + 60_000, deadline_at=now + FOLLOW_MS)


def close(connection: Connection, outcome: str = conversations.NO_ACW, now: int = NOW, **more: Any) -> str | None:
    return conversations.close(
        connection, CONVERSATION, without_record=outcome, now=now, last_look_at=now + 86_400_000, **more
    )


@pytest.fixture
def statements(storage: Storage) -> Iterator[Conversations]:
    """The statements on either database; afterwards the balance must be right."""
    made = Conversations(storage)
    yield made
    made.check_balance()


# --- registration ---


def test_the_first_registration_is_remembered_and_followed(statements: Conversations) -> None:
    pairing, view = statements.register()
    assert pairing is Pairing.NEW
    assert view == statements.view()
    assert (view.customer_id, view.state, view.outcome, view.records) == (CUSTOMER, "pending", None, ())
    assert statements.timeline() == ["registered"]
    row = statements.row()
    assert (row["owner"], row["uncovered_since"], row["in_doubt"]) == (OWNER, NOW, True)


def test_a_repetition_changes_nothing_but_the_deadline(statements: Conversations) -> None:
    statements.register()
    before = statements.row()
    pairing, view = statements.register(now=NOW + 5000, owner="somebody-else")
    assert pairing is Pairing.KNOWN
    assert statements.row() == before | {"deadline_at": DEADLINE + 5000}
    assert statements.timeline() == ["registered"]
    assert view == statements.view()


def test_another_customer_re_pairs_it_until_a_delivery_has_begun(statements: Conversations) -> None:
    statements.register()
    statements.put()
    pairing, view = statements.register(OTHER_CUSTOMER)
    assert (pairing, view.customer_id) == (Pairing.KNOWN, OTHER_CUSTOMER)
    assert statements.timeline()[-1] == "re_paired"
    statements.begin_delivery()
    with pytest.raises(PairedAlready):
        statements.register()
    assert statements.view().customer_id == OTHER_CUSTOMER
    assert statements.timeline()[-1] == "re_paired"


def test_the_same_customer_may_register_again_while_it_is_delivered(statements: Conversations) -> None:
    statements.register()
    statements.put()
    statements.begin_delivery()
    assert statements.register()[0] is Pairing.KNOWN


def test_once_its_content_is_erased_any_pair_is_new_data(statements: Conversations) -> None:
    statements.register()
    statements.put()
    statements.begin_delivery()
    statements.close()
    statements.erase()
    pairing, view = statements.register(OTHER_CUSTOMER)
    assert (pairing, view.customer_id, view.state) == (Pairing.AGAIN, OTHER_CUSTOMER, "pending")
    assert statements.row()["erased_at"] is None


@pytest.mark.parametrize("outcome", [conversations.NO_ACW, conversations.UNRESOLVED])
def test_a_closed_one_that_is_registered_again_is_followed_again(statements: Conversations, outcome: str) -> None:
    statements.register()
    statements.cover()
    statements.close(outcome)
    pairing, view = statements.register(now=NOW + 9000)
    assert (pairing, view.state, view.outcome) == (Pairing.AGAIN, "pending", None)
    row = statements.row()
    assert (row["deadline_at"], row["due_at"]) == (DEADLINE + 9000, NOW + 129_000)
    assert (row["uncovered_since"], row["in_doubt"], row["asked"]) == (NOW + 9000, True, 0)
    assert (row["closed_at"], row["last_look_at"], row["unknown_since"]) == (None, None, None)
    assert (row["covered_at"], row["looked_at"]) == (None, None), "they are from before the close"
    assert statements.timeline() == ["registered", "subscribed", "closed", "followed_again"]


def test_a_closed_one_is_followed_again_for_another_customer_only_before_delivery(statements: Conversations) -> None:
    statements.register()
    statements.put()
    statements.begin_delivery()
    statements.close()
    with pytest.raises(PairedAlready):
        statements.register(OTHER_CUSTOMER)
    assert statements.view().state == "closed"


def test_nobody_knows_a_conversation_that_was_never_registered(storage: Storage) -> None:
    assert storage.run(lambda c: conversations.view(c, CONVERSATION)) is None


# --- coverage ---


def test_a_covered_one_is_due_at_once_for_what_the_gap_may_have_hidden(statements: Conversations) -> None:
    statements.register()
    statements.cover(now=NOW + 10)
    row = statements.row()
    assert (row["state"], row["channel_id"], row["uncovered_since"]) == ("subscribed", "c-1", None)
    assert (row["covered_at"], row["due_at"], row["in_doubt"]) == (NOW + 10, NOW + 10, True)
    assert statements.timeline() == ["registered", "subscribed"]


def test_covered_by_another_channel_it_is_not_due_again(statements: Conversations) -> None:
    statements.register()
    statements.cover(now=NOW + 10)
    statements.cover(now=NOW + 20, channel="c-2")
    row = statements.row()
    assert (row["channel_id"], row["covered_at"], row["due_at"]) == ("c-2", NOW + 10, NOW + 10)
    assert statements.timeline() == ["registered", "subscribed"]


def test_uncovered_it_is_in_doubt_since_the_last_certain_moment(statements: Conversations) -> None:
    statements.register()
    statements.cover()
    statements.uncover(since=NOW + 30, now=NOW + 70)
    row = statements.row()
    assert (row["state"], row["channel_id"], row["uncovered_since"]) == ("pending", None, NOW + 30)
    assert row["in_doubt"]
    assert statements.timeline() == ["registered", "subscribed", "uncovered"]


def test_losing_it_twice_keeps_the_earlier_moment(statements: Conversations) -> None:
    statements.register()
    statements.cover()
    statements.uncover(since=NOW + 30)
    statements.uncover(since=NOW + 90)
    assert statements.row()["uncovered_since"] == NOW + 30
    assert statements.timeline().count("uncovered") == 1


def test_a_closed_one_is_neither_covered_nor_uncovered_nor_due(statements: Conversations) -> None:
    statements.register()
    statements.cover()
    statements.close()
    before = statements.row()
    statements.cover(now=NOW + 10)
    statements.uncover(now=NOW + 20)
    statements.storage.run(lambda c: coverage.make_due(c, [CONVERSATION], NOW + 30))
    statements.storage.run(lambda c: coverage.make_all_due(c, NOW + 40))
    assert statements.row() == before
    assert statements.timeline() == ["registered", "subscribed", "closed"]


def test_nobody_is_covered_by_an_empty_list(statements: Conversations) -> None:
    statements.register()
    statements.storage.run(lambda c: coverage.cover(c, [], channel_id="c", owner=OWNER, now=NOW, fresh_due_at=NOW))
    statements.storage.run(lambda c: coverage.uncover(c, [], owner=OWNER, since=NOW, now=NOW))
    assert statements.row()["state"] == "pending"


def test_a_thousand_are_covered_and_uncovered_in_one_statement_each(statements: Conversations) -> None:
    ids = [f"00000000-0000-4000-8000-{number:012d}" for number in range(1000)]
    for one in ids:  # in separate jobs, because a job has only a few seconds, even on a busy machine
        statements.register(one=one)
    statements.cover(*ids)
    assert statements.storage.run(accounting.balance).states == {"subscribed": 1000}
    statements.uncover(*ids)
    assert statements.storage.run(accounting.balance).states == {"pending": 1000}


# --- due ---


def test_who_is_due_comes_longest_due_first_and_no_more_than_asked_for(statements: Conversations) -> None:
    for number, one in enumerate((CONVERSATION, OTHER_CONVERSATION)):
        statements.register(one=one, now=NOW - number)
    assert [due.id for due in statements.due(NOW + 120_000)] == [OTHER_CONVERSATION, CONVERSATION]
    assert [due.id for due in statements.due(NOW + 120_000, limit=1)] == [OTHER_CONVERSATION]
    assert statements.due(NOW + 119_998) == []


def test_a_date_that_a_wrong_clock_set_is_due_now(statements: Conversations) -> None:
    statements.register()
    statements.storage.run(lambda c: c.execute(update(conversation).values(due_at=NOW + 10**11)) and None)
    assert statements.due(NOW, furthest=NOW + 10**10)
    assert statements.due(NOW, furthest=NOW + 10**11) == []


def test_a_date_that_a_wrong_clock_set_does_not_wait_until_nobody_else_is_due(statements: Conversations) -> None:
    for one in (CONVERSATION, OTHER_CONVERSATION):
        statements.register(one=one)
    misdated = update(conversation).where(conversation.c.id == OTHER_CONVERSATION)
    statements.storage.run(lambda c: c.execute(misdated.values(due_at=NOW + 10**11)) and None)
    assert [due.id for due in statements.due(NOW + 120_000, furthest=NOW + 10**10)] == [
        CONVERSATION,
        OTHER_CONVERSATION,
    ]
    assert [due.id for due in statements.due(NOW + 120_000, furthest=NOW + 10**10, limit=1)] == [CONVERSATION]


@pytest.mark.parametrize(("now", "due"), [(NOW + 5, [CONVERSATION]), (NOW + 4, []), (NOW - 11, [CONVERSATION])])
def test_a_last_look_is_due_at_its_date_or_when_that_can_not_be_true(
    statements: Conversations, now: int, due: list[str]
) -> None:
    statements.register()
    statements.storage.run(
        lambda c: conversations.close(c, CONVERSATION, without_record="no_acw", now=NOW, last_look_at=NOW + 5)
    )
    found = statements.storage.run(lambda c: last_look.claim(c, now=now, furthest=now + 15, until=now + 9, limit=5))
    assert found == due


def test_a_closed_one_is_never_due_but_for_its_last_look(statements: Conversations) -> None:
    statements.register()
    statements.close()
    assert statements.due(NOW + 10**11) == []
    assert statements.storage.run(lambda c: reconciliation.next_dates(c, OWNER, 0).first) == NOW + 86_400_000
    statements.storage.run(lambda c: last_look.note(c, CONVERSATION, 0))
    assert statements.storage.run(lambda c: reconciliation.next_dates(c, OWNER, 0).first) is None


def test_made_due_it_is_due_and_in_doubt(statements: Conversations) -> None:
    statements.register()
    statements.storage.run(lambda c: coverage.make_due(c, [CONVERSATION], NOW + 5))
    (due,) = statements.due(NOW + 5)
    assert due.in_doubt


@pytest.mark.parametrize(
    "lose_frames",
    [lambda c: coverage.make_due(c, [CONVERSATION], NOW + 50), lambda c: coverage.make_all_due(c, NOW + 50)],
    ids=["a frame about it", "frames about unknown conversations"],
)
@pytest.mark.parametrize(("covered", "covered_at"), [(True, NOW + 50), (False, None)])
def test_what_was_lost_is_a_gap_that_ends_now(
    statements: Conversations, lose_frames: Callable[[Connection], None], covered: bool, covered_at: int | None
) -> None:
    statements.register()
    if covered:
        statements.cover(now=NOW + 10)
    statements.storage.run(lambda c: c.execute(update(conversation).values(asked=5, looked_at=NOW + 20)) and None)
    statements.storage.run(lose_frames)
    row = statements.row()
    assert (row["due_at"], row["in_doubt"], row["asked"]) == (NOW + 50, True, 0)
    assert row["covered_at"] == covered_at
    unseen = statements.storage.run(lambda c: reconciliation.doubtful(c, owner=OWNER, now=NOW + 50, limit=5))
    assert [one.id for one in unseen] == ([CONVERSATION] if covered else [])


# --- the end ---


def test_it_ends_as_logged_if_it_has_a_record(statements: Conversations) -> None:
    statements.register()
    statements.put()
    assert statements.close(conversations.UNRESOLVED) == "logged"
    assert (statements.view().state, statements.view().outcome) == ("closed", "logged")


@pytest.mark.parametrize("outcome", [conversations.NO_ACW, conversations.UNRESOLVED])
def test_it_ends_as_told_if_it_has_none(statements: Conversations, outcome: str) -> None:
    statements.register()
    assert statements.close(outcome, now=NOW + 5) == outcome
    row = statements.row()
    assert (row["closed_at"], row["last_look_at"], row["due_at"]) == (NOW + 5, NOW + 5 + 86_400_000, None)
    assert statements.view().timeline[-1].detail == outcome


def test_it_ends_once(statements: Conversations) -> None:
    statements.register()
    statements.close()
    before = statements.row()
    assert statements.close(conversations.UNRESOLVED, now=NOW + 1) is None
    assert statements.row() == before
    assert statements.timeline().count("closed") == 1


def test_what_was_never_registered_does_not_end(storage: Storage) -> None:
    assert storage.run(close) is None


def test_a_deadline_that_was_moved_since_it_was_read_closes_nothing(statements: Conversations) -> None:
    statements.register()
    (due,) = statements.due(NOW + 120_000)
    statements.register(now=NOW + 60_000)
    assert statements.close(conversations.UNRESOLVED, latest_deadline=due.deadline_at) is None
    assert statements.view().state == "pending"
    assert statements.close(conversations.UNRESOLVED, latest_deadline=DEADLINE + 60_000) == "unresolved"


@pytest.mark.parametrize(
    ("furthest", "outcome"),
    [(None, None), (DEADLINE, None), (DEADLINE - 1, "no_acw")],
    ids=["no", "may be", "can not be"],
)
def test_only_a_deadline_that_can_not_be_true_forbids_no_close(
    statements: Conversations, furthest: int | None, outcome: str | None
) -> None:
    statements.register()
    assert statements.close(latest_deadline=NOW, furthest_deadline=furthest) == outcome


@pytest.mark.parametrize(
    ("looked_at", "outcome"), [(None, "no_acw"), (NOW - 5, "no_acw"), (NOW - 4, None), (NOW, None), (NOW + 1, "no_acw")]
)
def test_a_live_answer_taken_since_closes_nothing_unless_a_wrong_clock_dated_it(
    statements: Conversations, looked_at: int | None, outcome: str | None
) -> None:
    statements.register()
    statements.storage.run(lambda c: c.execute(update(conversation).values(looked_at=looked_at)) and None)
    assert statements.close(latest_look=NOW - 5) == outcome


def test_what_an_answer_names_leaves_the_deadline_if_it_is_told_to(statements: Conversations) -> None:
    statements.register()
    statements.storage.run(
        lambda c: intake.put(c, EVENT, intake.BACKFILL, now=NOW + 9, due_at=NOW + 60_000, deadline_at=None)
    )
    assert (statements.row()["deadline_at"], statements.row()["due_at"]) == (DEADLINE, NOW + 60_000)


# --- at the same moment, where several transactions can run at a time ---


@pytest.fixture
def shared(postgres_url: str) -> Iterator[Conversations]:
    """The statements on PostgreSQL, where several transactions can run at a time."""
    storage = Storage(postgres_url, FakeClock())
    storage.open()
    made = Conversations(storage)
    yield made
    made.check_balance()
    storage.close()


def at_once(storage: Storage, first: Callable[[Connection], Any], second: Callable[[Connection], Any]) -> list[Any]:
    """Run both jobs. The first has run its statements, but has not committed, when the second begins."""
    done, may_commit = Event(), Event()

    def slow(connection: Connection) -> Any:
        value = first(connection)
        done.set()
        may_commit.wait(2)
        return value

    one = gevent.spawn(storage.run, slow)
    assert done.wait(2)
    other = gevent.spawn(storage.run, second)
    gevent.sleep(0.05)
    may_commit.set()
    return [one.get(timeout=5), other.get(timeout=5)]


def test_uncovered_while_it_is_closed_it_stays_closed(shared: Conversations) -> None:
    shared.register()
    shared.cover()
    at_once(shared.storage, close, lambda c: coverage.uncover(c, [CONVERSATION], owner=OWNER, since=NOW, now=NOW))
    assert (shared.view().state, shared.row()["due_at"]) == ("closed", None)


def test_covered_while_it_is_closed_it_stays_closed(shared: Conversations) -> None:
    shared.register()
    at_once(
        shared.storage,
        close,
        lambda c: coverage.cover(c, [CONVERSATION], channel_id="c", owner=OWNER, now=NOW, fresh_due_at=NOW),
    )
    assert shared.view().state == "closed"


def release(connection: Connection) -> bool:
    return reconciliation.release(
        connection,
        CONVERSATION,
        owner=OWNER,
        now=NOW,
        due_at=NOW,
        asked_at=NOW,
        known_until=NOW,
        ended_at=NOW,
        follow_ms=FOLLOW_MS,
    )


def test_covered_while_it_is_released_it_stays_released(shared: Conversations) -> None:
    shared.register()
    at_once(
        shared.storage,
        release,
        lambda c: coverage.cover(c, [CONVERSATION], channel_id="c", owner=OWNER, now=NOW, fresh_due_at=NOW),
    )
    assert (shared.view().state, shared.row()["released_at"]) == ("pending", NOW)


def test_released_while_an_event_is_stored_it_keeps_its_topic(shared: Conversations) -> None:
    shared.register()
    shared.cover()
    assert at_once(shared.storage, lambda c: put_event(c, now=NOW + 1), release) == [IntakeResult.STORED, False]
    assert shared.view().state == "subscribed"


def test_registered_while_it_is_released_it_is_followed_again(shared: Conversations) -> None:
    shared.register()
    shared.cover()
    done = at_once(shared.storage, release, lambda c: stored.register(c, now=NOW + 5)[0])
    assert done == [True, Pairing.AGAIN]
    assert (shared.row()["released_at"], shared.row()["uncovered_since"]) == (None, NOW)


def test_released_while_it_is_registered_it_keeps_its_topic(shared: Conversations) -> None:
    shared.register()
    shared.cover()
    assert at_once(shared.storage, lambda c: stored.register(c, now=NOW + 5)[0], release) == [Pairing.KNOWN, False]
    assert shared.view().state == "subscribed"


def test_closed_while_an_event_is_stored_it_is_logged(shared: Conversations) -> None:
    shared.register()
    assert at_once(shared.storage, put_event, close) == [IntakeResult.STORED, "logged"]
    assert shared.view().outcome == "logged"


def test_an_event_stored_while_it_is_closed_is_late_and_makes_it_logged(shared: Conversations) -> None:
    shared.register()
    assert at_once(shared.storage, close, put_event) == ["no_acw", IntakeResult.STORED]
    assert (shared.view().state, shared.view().outcome) == ("closed", "logged")
    assert shared.timeline()[-1] == "late_event"


def test_registered_again_while_it_is_closed_it_is_followed_again(shared: Conversations) -> None:
    shared.register()
    results = at_once(shared.storage, close, stored.register)
    assert results[1][0] is Pairing.AGAIN
    assert (shared.view().state, shared.view().outcome) == ("pending", None)


def test_closed_while_it_is_registered_again_for_its_deadline_it_stays_followed(shared: Conversations) -> None:
    shared.register()
    results = at_once(
        shared.storage,
        lambda c: stored.register(c, now=NOW + 1000),
        lambda c: close(c, conversations.UNRESOLVED, latest_deadline=DEADLINE),
    )
    assert results[1] is None
    assert shared.view().state == "pending"


def test_a_late_event_while_it_is_registered_again_leaves_no_outcome_behind(shared: Conversations) -> None:
    shared.register()
    shared.close()
    at_once(shared.storage, stored.register, put_event)
    assert (shared.view().state, shared.view().outcome) == ("pending", None)
    assert len(shared.view().records) == 1


def test_registered_by_two_at_once_it_is_accepted_once(shared: Conversations) -> None:
    results = at_once(shared.storage, stored.register, stored.register)
    assert [pairing for pairing, _ in results] == [Pairing.NEW, Pairing.KNOWN]
    assert shared.timeline() == ["registered"]


def test_a_registration_while_the_balance_is_read_does_not_upset_it(shared: Conversations) -> None:
    shared.register()

    def interrupted(connection: Connection) -> accounting.Balance:
        event.listen(connection, "after_execute", lambda *_: Storage.run(shared.storage, register), once=True)
        return accounting.balance(connection)

    def register(connection: Connection) -> None:
        stored.register(connection, OTHER_CONVERSATION)

    assert shared.storage.run(interrupted).unaccounted == 0
