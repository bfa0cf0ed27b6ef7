"""What an answer from Genesys changes in a conversation that other transactions change too, on both databases."""

from dataclasses import replace

import pytest
from sqlalchemy import Connection

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import coverage, intake, reconciliation
from genesys_gateway.storage.statements.reconciliation import Answered, Due
from tests.doubles.stored_rows import CONVERSATION, DEADLINE, NOW, OWNER, register

#: Beyond every date that the tests set.
FAR = NOW + 300_000_000
EVENT = AcwEvent(conversation_id=CONVERSATION, participant_id="p", session_id="s", event_time=NOW)


def followed(storage: Storage) -> Due:
    """A conversation that is covered after a gap, and therefore due now."""

    def job(connection: Connection) -> Due:
        register(connection)
        coverage.cover(connection, [CONVERSATION], channel_id="c", owner=OWNER, now=NOW, fresh_due_at=NOW)
        return one_due(connection, NOW)

    return storage.run(job)


def one_due(connection: Connection, now: int) -> Due:
    (one,) = reconciliation.due(connection, owner=OWNER, now=now, furthest=FAR, limit=10)
    return one


def next_due(storage: Storage) -> int | None:
    return storage.run(lambda c: reconciliation.next_dates(c, OWNER, 0).first)


def answer(
    storage: Storage,
    one: Due,
    *,
    asked_at: int,
    due_at: int,
    clears_doubt: bool = True,
    counted: bool = True,
    now: int = NOW + 100,
) -> None:
    changes = Answered(
        one=one,
        asked_at=asked_at,
        live=True,
        due_at=due_at,
        deadline_at=DEADLINE,
        clears_doubt=clears_doubt,
        counted=counted,
        unknown_since=None,
    )
    storage.run(lambda connection: reconciliation.ask_again(connection, [changes], now=now))


def put_event(storage: Storage, now: int, due_at: int) -> None:
    storage.run(
        lambda connection: intake.put(connection, EVENT, intake.LIVE, now=now, due_at=due_at, deadline_at=DEADLINE)
    )


def doubtful(storage: Storage, now: int) -> list[str]:
    some = storage.run(lambda c: reconciliation.doubtful(c, owner=OWNER, now=now, limit=10))
    return [one.id for one in some]


def test_an_answer_sets_the_date_of_the_next_question(storage: Storage) -> None:
    one = followed(storage)

    answer(storage, one, asked_at=NOW, due_at=NOW + 120_000)

    assert next_due(storage) == NOW + 120_000


@pytest.mark.parametrize("counted", [True, False])
def test_only_a_routine_question_is_counted(storage: Storage, counted: bool) -> None:
    answer(storage, followed(storage), asked_at=NOW, due_at=NOW, counted=counted)

    assert storage.run(lambda connection: one_due(connection, NOW)).asked == int(counted)


def test_an_answer_does_not_put_off_the_question_after_an_event_that_came_meanwhile(storage: Storage) -> None:
    one = followed(storage)
    put_event(storage, NOW + 5, due_at=NOW + 3_000)

    answer(storage, one, asked_at=NOW + 1, due_at=NOW + 120_000)

    assert next_due(storage) == NOW + 3_000


def test_an_early_question_does_not_put_off_the_one_that_is_planned(storage: Storage) -> None:
    one = followed(storage)
    answer(storage, one, asked_at=NOW, due_at=NOW + 60_000, clears_doubt=False)
    early = storage.run(lambda connection: one_due(connection, NOW + 60_000))

    answer(storage, early, asked_at=NOW + 10_000, due_at=NOW + 240_000)

    assert next_due(storage) == NOW + 60_000


def test_an_answer_may_bring_the_next_question_forward(storage: Storage) -> None:
    one = followed(storage)
    put_event(storage, NOW + 5, due_at=NOW + 60_000)

    answer(storage, one, asked_at=NOW + 1, due_at=NOW + 7_500)

    assert next_due(storage) == NOW + 7_500


def test_covered_in_the_future_it_is_asked_about_live_until_there_is_an_answer(storage: Storage) -> None:
    one = followed(storage)
    back = NOW - 3_600_000

    answer(storage, one, asked_at=back, due_at=back + 7_500, clears_doubt=False, now=back)

    assert doubtful(storage, back) == []
    assert storage.run(lambda connection: one_due(connection, back + 7_500)).covered_at == back


def test_covered_in_the_future_it_gives_way_to_others_when_the_question_failed(storage: Storage) -> None:
    one = followed(storage)
    back = NOW - 3_600_000

    storage.run(lambda c: reconciliation.postpone(c, one, now=back, due_at=back + 7_500, looked_at=back))

    assert doubtful(storage, back) == []


def test_an_answer_dated_into_the_future_says_nothing_of_a_gap_that_ends_now(storage: Storage) -> None:
    one = followed(storage)
    answer(storage, one, asked_at=NOW, due_at=NOW + 120_000)
    back = NOW - 3_600_000

    def lose_coverage(connection: Connection) -> None:
        coverage.uncover(connection, [CONVERSATION], owner=OWNER, since=back - 10, now=back - 5)
        coverage.cover(connection, [CONVERSATION], channel_id="c", owner=OWNER, now=back, fresh_due_at=back)

    storage.run(lose_coverage)
    assert doubtful(storage, back) == [CONVERSATION]


def test_an_answer_from_before_a_gap_does_not_clear_the_doubt_of_that_gap(storage: Storage) -> None:
    one = followed(storage)

    def lose_coverage(connection: Connection) -> None:
        coverage.uncover(connection, [CONVERSATION], owner=OWNER, since=NOW + 10, now=NOW + 20)
        coverage.cover(connection, [CONVERSATION], channel_id="c", owner=OWNER, now=NOW + 30, fresh_due_at=NOW + 30)

    storage.run(lose_coverage)
    answer(storage, one, asked_at=NOW + 5, due_at=NOW + 120_000)

    assert doubtful(storage, NOW + 100) == [CONVERSATION]


def test_of_those_in_doubt_the_ones_without_a_record_come_first_then_those_covered_first(storage: Storage) -> None:
    ids = [f"633ba5f4-38cd-48fc-bb4c-{number:012d}" for number in range(4)]

    def cover_one_by_one(connection: Connection) -> None:
        for number, one in enumerate(ids):
            register(connection, one)
            at = NOW + number
            coverage.cover(connection, [one], channel_id="c", owner=OWNER, now=at, fresh_due_at=at)
        for one in (ids[0], ids[2]):
            event = replace(EVENT, conversation_id=one)
            intake.put(connection, event, intake.LIVE, now=NOW, due_at=FAR, deadline_at=DEADLINE)

    storage.run(cover_one_by_one)
    assert doubtful(storage, NOW + 10) == [ids[1], ids[3], ids[0], ids[2]]
