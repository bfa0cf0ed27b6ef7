"""Released conversations: their topic is given back while their last proof is still to come, on both databases."""

from typing import Any

import pytest
from sqlalchemy import Connection, update

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import accounting, conversations, coverage, intake, ownership, reconciliation
from genesys_gateway.storage.statements.conversations import Pairing
from genesys_gateway.storage.statements.intake import IntakeResult
from genesys_gateway.storage.statements.reconciliation import Answered, Due
from genesys_gateway.storage.tables import conversation
from tests.doubles import stored_rows as stored
from tests.doubles.stored_rows import CONVERSATION, DEADLINE, FOLLOW_MS, NOW, OTHER_CONVERSATION, OWNER

EVENT = AcwEvent(conversation_id=CONVERSATION, participant_id="p", session_id="s", event_time=NOW)
#: When the answer that shows the conversation over was taken, and when the conversation ended.
ASKED, ENDED = NOW + 60_000, NOW + 50_000
#: How late analytics may be, and when an answer can prove the end.
SETTLE_MS = 300_000
PROVABLE = ENDED + SETTLE_MS
LATER = PROVABLE + 1000
OTHER = "00000000-0000-4000-8000-000000000002"


def release(connection: Connection, *, now: int = ASKED, asked_at: int = ASKED, ended_at: int = ENDED) -> bool:
    return reconciliation.release(
        connection,
        CONVERSATION,
        owner=OWNER,
        now=now,
        due_at=PROVABLE,
        asked_at=asked_at,
        known_until=asked_at - SETTLE_MS,
        ended_at=ended_at,
        follow_ms=FOLLOW_MS,
    )


class Released:
    """A covered conversation and what happens to it, each step in its own transaction."""

    def __init__(self, storage: Storage) -> None:
        self.run = storage.run
        self.run(stored.register)
        self.cover()

    def cover(self, now: int = NOW, fresh_due_at: int | None = None) -> None:
        due_at = now if fresh_due_at is None else fresh_due_at
        self.run(
            lambda c: coverage.cover(c, [CONVERSATION], channel_id="c-1", owner=OWNER, now=now, fresh_due_at=due_at)
        )

    def uncover(self, now: int = NOW) -> None:
        self.run(lambda c: coverage.uncover(c, [CONVERSATION], owner=OWNER, since=now, now=now))

    def release(self, **changes: Any) -> bool:
        return self.run(lambda c: release(c, **changes))

    def take_up(self, now: int = LATER) -> bool:
        return self.run(lambda c: reconciliation.take_up(c, CONVERSATION, owner=OWNER, now=now, due_at=now + 5))

    def put(self, now: int) -> IntakeResult:
        return self.run(
            lambda c: intake.put(c, EVENT, intake.LIVE, now=now, due_at=now + 60_000, deadline_at=now + FOLLOW_MS)
        )

    def set(self, **values: Any) -> None:
        self.run(lambda c: c.execute(update(conversation).values(values)) and None)

    def row(self) -> Any:
        return self.run(lambda c: c.execute(conversation.select().where(conversation.c.id == CONVERSATION)).one())

    def due(self, now: int) -> list[Due]:
        return self.run(lambda c: reconciliation.due(c, owner=OWNER, now=now, furthest=now + 10**10, limit=10))

    def timeline(self) -> list[str]:
        view = self.run(lambda c: conversations.view(c, CONVERSATION))
        assert view is not None
        return [item.event for item in view.timeline]

    def balance(self) -> accounting.Balance:
        return self.run(accounting.balance)


@pytest.fixture
def one(storage: Storage) -> Released:
    return Released(storage)


def test_a_released_one_is_pending_off_its_channel_and_followed(one: Released) -> None:
    assert one.release()

    row = one.row()
    assert (row.state, row.channel_id, row.released_at, row.uncovered_since) == ("pending", None, ASKED, ASKED)
    assert row.due_at == PROVABLE
    assert one.timeline() == ["registered", "subscribed", "released"]
    balance = one.balance()
    assert (balance.accepted, balance.followed, balance.unaccounted) == (1, 1, 0)
    assert (balance.released, balance.uncovered) == (1, 0)


def test_it_is_due_when_its_end_can_be_proved(one: Released) -> None:
    one.release()

    assert one.due(PROVABLE - 1) == []
    (due,) = one.due(PROVABLE)
    assert (due.released_at, due.covered_at, due.has_record) == (ASKED, NOW, False)


def test_a_conversation_with_a_record_is_due_as_one(one: Released) -> None:
    assert [due.has_record for due in one.due(LATER)] == [False]
    one.put(NOW)
    assert [due.has_record for due in one.due(LATER)] == [True]


def test_one_that_waits_for_a_place_is_released_and_uncovered_for_as_long_as_before(one: Released) -> None:
    one.uncover(NOW + 10)

    assert one.release()
    assert (one.row().uncovered_since, one.row().released_at) == (NOW + 10, ASKED)


def test_a_second_release_changes_nothing(one: Released) -> None:
    one.release()

    assert not one.release(now=ASKED + 1)
    assert one.row().released_at == ASKED
    assert one.timeline().count("released") == 1


def test_a_closed_one_is_not_released(one: Released) -> None:
    one.run(lambda c: conversations.close(c, CONVERSATION, without_record="no_acw", now=NOW, last_look_at=NOW))

    assert not one.release()
    assert (one.row().state, one.row().released_at) == ("closed", None)


def test_one_with_an_event_newer_than_the_answer_keeps_its_topic(one: Released) -> None:
    one.put(ASKED + 1)

    assert not one.release()
    assert one.row().state == "subscribed"


def test_one_with_an_event_after_its_end_gives_its_topic_back(one: Released) -> None:
    one.put(ENDED + 1)

    assert one.release()


REGISTERED = ENDED + 5_000


@pytest.mark.parametrize(
    ("asked_at", "released"), [(REGISTERED + 1, False), (REGISTERED + SETTLE_MS - 1, False), (LATER + 5_000, True)]
)
def test_one_registered_after_the_end_shown_keeps_its_topic_until_analytics_know_of_it(
    one: Released, asked_at: int, released: bool
) -> None:
    """An agent may have taken it up again just before, and an answer that lags shows the end before that."""
    one.put(ENDED + 1)
    one.run(lambda c: stored.register(c, now=REGISTERED))

    assert one.release(now=asked_at, asked_at=asked_at) is released


def test_one_released_and_registered_again_is_not_released_for_the_same_end(one: Released) -> None:
    one.release()
    one.run(lambda c: stored.register(c, now=ASKED + 10))
    one.cover(ASKED + 20)

    assert not one.release(now=ASKED + 30, asked_at=ASKED + 30)
    assert one.release(now=ASKED + 40, asked_at=ASKED + 40, ended_at=ASKED + 15)


def test_a_deadline_set_by_a_wrong_clock_does_not_keep_its_topic(one: Released) -> None:
    one.set(deadline_at=ASKED + 9 * FOLLOW_MS)

    assert one.release()


@pytest.mark.parametrize(
    ("looked_at", "released"),
    [(None, True), (ENDED, True), (ENDED + 1, False), (ASKED, False), (ASKED + 1, True)],
)
def test_analytics_do_not_outweigh_a_live_answer_after_the_end(
    one: Released, looked_at: int | None, released: bool
) -> None:
    """One that is dated in the future was dated by a wrong clock."""
    one.set(looked_at=looked_at)

    assert one.release() is released


REPORTS = {"its topic was confirmed": Released.cover, "its socket was lost": Released.uncover}


@pytest.mark.parametrize(("first", "second"), [(one, other) for one in REPORTS for other in REPORTS])
def test_late_reports_of_its_channel_change_nothing(one: Released, first: str, second: str) -> None:
    one.release()
    before = one.row()

    REPORTS[first](one, now=ASKED + 1)
    REPORTS[second](one, now=ASKED + 2)

    assert one.row() == before
    assert one.timeline() == ["registered", "subscribed", "released"]


def test_a_late_event_is_stored_and_decides_nothing_by_itself(one: Released) -> None:
    one.release()

    assert one.put(ASKED + 1000) is IntakeResult.STORED
    row = one.row()
    assert (row.state, row.released_at, row.due_at) == ("pending", ASKED, ASKED + 61_000)
    assert one.timeline()[-1] == "event_stored"


def test_an_event_that_could_not_be_read_makes_it_due_and_leaves_it_released(one: Released) -> None:
    one.release()
    one.run(lambda c: coverage.make_due(c, [CONVERSATION], ASKED + 5))
    assert (one.row().due_at, one.row().in_doubt, one.row().released_at) == (ASKED + 5, True, ASKED)
    one.run(lambda c: coverage.make_all_due(c, ASKED + 7))
    assert (one.row().due_at, one.row().released_at, one.row().covered_at) == (ASKED + 7, ASKED, NOW)


def test_an_answer_that_proves_nothing_yet_leaves_it_released(one: Released) -> None:
    one.release()
    (due,) = one.due(LATER)
    changes = Answered(
        one=due,
        asked_at=LATER,
        live=True,
        due_at=LATER + 9,
        deadline_at=DEADLINE,
        clears_doubt=True,
        counted=True,
        unknown_since=None,
    )
    one.run(lambda c: reconciliation.ask_again(c, [changes], now=LATER))
    one.run(lambda c: reconciliation.postpone(c, due, now=LATER, due_at=LATER + 9, looked_at=None))
    row = one.row()
    assert (row.state, row.released_at, row.due_at) == ("pending", ASKED, LATER + 9)


def test_a_close_ends_the_release(one: Released) -> None:
    one.release()
    one.run(lambda c: conversations.close(c, CONVERSATION, without_record="no_acw", now=LATER, last_look_at=LATER))

    assert (one.row().state, one.row().released_at) == ("closed", None)
    assert (one.balance().released, one.balance().uncovered, one.balance().unaccounted) == (0, 0, 0)


def test_one_that_is_not_over_after_all_is_taken_up_in_doubt_since_its_release(one: Released) -> None:
    one.set(in_doubt=False, asked=3)
    one.release()

    assert one.take_up()
    row = one.row()
    assert (row.state, row.released_at, row.uncovered_since, row.in_doubt) == ("pending", None, ASKED, True)
    assert (row.due_at, row.asked) == (LATER + 5, 0)
    assert one.timeline()[-1] == "followed_again"
    assert one.balance().uncovered == 1


def test_only_a_released_one_is_taken_up(one: Released) -> None:
    before = one.row()

    assert not one.take_up()
    assert one.row() == before


def test_one_that_was_taken_up_is_covered_again_and_due_at_once(one: Released) -> None:
    one.release()
    one.take_up()
    one.cover(LATER + 100, fresh_due_at=LATER + 999)

    row = one.row()
    assert (row.state, row.covered_at, row.due_at) == ("subscribed", LATER + 100, LATER + 100)


def test_a_released_one_that_is_registered_again_is_followed_again(one: Released) -> None:
    one.set(in_doubt=False, asked=3, unknown_since=NOW)
    one.release()

    pairing, view = one.run(lambda c: stored.register(c, now=LATER, owner=OTHER))

    assert (pairing, view.state, view.outcome) == (Pairing.AGAIN, "pending", None)
    assert view.timeline[-1].event == "followed_again"
    row = one.row()
    assert (row.released_at, row.uncovered_since, row.in_doubt, row.owner) == (None, ASKED, True, OTHER)
    assert (row.due_at, row.asked, row.unknown_since, row.deadline_at) == (LATER, 0, None, LATER + FOLLOW_MS)
    assert one.balance().accepted == 1


def test_registered_again_it_is_due_when_it_is_covered_however_short_the_gap(one: Released) -> None:
    one.release()
    one.run(lambda c: stored.register(c, now=ASKED + 10))
    one.cover(ASKED + 20, fresh_due_at=LATER)

    assert one.row().due_at == ASKED + 20


def test_an_ended_instance_leaves_it_to_another_that_does_not_subscribe_it(one: Released) -> None:
    one.run(lambda c: stored.register(c, OTHER_CONVERSATION))
    one.set(in_doubt=False)
    one.release()
    before = one.row()

    adopted = one.run(lambda c: ownership.adopt(c, OTHER, lease_ms=20_000, now=LATER, limit=500))
    assert (adopted.to_follow, adopted.total) == ([OTHER_CONVERSATION], 2)
    row = one.row()
    assert (row.owner, row.epoch) == (OTHER, before.epoch + 1)
    assert row._asdict() | {"owner": before.owner, "epoch": before.epoch} == before._asdict()
    assert one.run(lambda c: ownership.pending_of(c, OTHER)) == [OTHER_CONVERSATION]
    assert one.run(lambda c: ownership.followed_by(c, OTHER)) == {OTHER_CONVERSATION: "pending"}


def first_cover(one: Released, wait: int) -> int:
    """Cover it this long after its registration; return when it is due, from then."""
    one.set(state="pending", covered_at=None, uncovered_since=NOW)
    one.cover(NOW + wait, fresh_due_at=NOW + wait + 300_000)
    return int(one.row().due_at) - NOW - wait


def test_one_that_is_covered_soon_after_its_registration_is_due_when_the_caller_says(one: Released) -> None:
    assert first_cover(one, 9_999) == 300_000


def test_one_that_waited_longer_for_its_cover_is_due_at_once(one: Released) -> None:
    assert first_cover(one, 10_000) == 0


def test_one_that_is_covered_already_keeps_its_date(one: Released) -> None:
    one.set(due_at=NOW + 7)
    one.cover(NOW + 5, fresh_due_at=NOW + 300_000)
    assert one.row().due_at == NOW + 7
