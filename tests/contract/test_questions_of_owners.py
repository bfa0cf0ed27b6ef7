"""Each instance asks about its own conversations; what one asked that lost them decides nothing. On both databases."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, update

from genesys_gateway.reconciliation.consequences import Consequences, Pressure
from genesys_gateway.reconciliation.finding import Finding
from genesys_gateway.reconciliation.plan import Calls
from genesys_gateway.runtime.clock import SteadyTime
from genesys_gateway.storage import Storage, database_now
from genesys_gateway.storage.statements import conversations, coverage, reconciliation
from genesys_gateway.storage.statements.reconciliation import Due
from genesys_gateway.storage.tables import conversation
from tests.doubles.genesys import settings
from tests.doubles.runtime import FakeClock
from tests.doubles.stored_rows import CONVERSATION, EVENT, NOW, OTHER_CONVERSATION, OWNER, register

OTHER = "00000000-0000-4000-8000-000000000002"
#: When both conversations are due.
LATER = NOW + 120_000
FAR = NOW + 10**10
WORK = replace(EVENT, conversation_id=CONVERSATION)


@pytest.fixture
def two(storage: Storage) -> Storage:
    """A conversation of ours and one of another instance, both covered and in doubt."""

    def job(connection: Connection) -> None:
        for one, owner in ((CONVERSATION, OWNER), (OTHER_CONVERSATION, OTHER)):
            register(connection, one, owner=owner)
            coverage.cover(connection, [one], channel_id="c", owner=owner, now=NOW, fresh_due_at=LATER)

    storage.run(job)
    return storage


def due(storage: Storage, owner: str, now: int = LATER) -> list[Due]:
    return storage.run(lambda c: reconciliation.due(c, owner=owner, now=now, furthest=FAR, limit=10))


def own(storage: Storage, **values: Any) -> None:
    """Change our conversation as another instance would."""
    storage.run(lambda c: c.execute(update(conversation).where(conversation.c.id == CONVERSATION).values(values)))


def row(storage: Storage) -> dict[str, Any]:
    query = conversation.select().where(conversation.c.id == CONVERSATION)
    return storage.run(lambda c: c.execute(query).one()._asdict())


def test_an_instance_is_due_to_ask_about_its_own_alone(two: Storage) -> None:
    assert [(one.id, one.owner) for one in due(two, OWNER)] == [(CONVERSATION, OWNER)]
    assert [(one.id, one.owner) for one in due(two, OTHER)] == [(OTHER_CONVERSATION, OTHER)]
    assert due(two, "a third one") == []


def test_a_date_that_a_wrong_clock_set_is_due_for_the_owner_alone(two: Storage) -> None:
    own(two, due_at=FAR + 1)
    assert [one.id for one in due(two, OWNER, NOW)] == [CONVERSATION]
    assert due(two, OTHER, NOW) == []


def test_doubts_are_the_owners(two: Storage) -> None:
    def doubtful(owner: str) -> list[str]:
        some = two.run(lambda c: reconciliation.doubtful(c, owner=owner, now=NOW, limit=10))
        return [one.id for one in some]

    assert (doubtful(OWNER), doubtful(OTHER)) == ([CONVERSATION], [OTHER_CONVERSATION])


def test_an_instance_sleeps_until_its_own_next_question_or_any_last_look(two: Storage) -> None:
    own(two, due_at=NOW + 7)

    def next_due(owner: str) -> int | None:
        return two.run(lambda c: reconciliation.next_dates(c, owner, 0).first)

    assert (next_due(OWNER), next_due(OTHER), next_due("a third one")) == (NOW + 7, LATER, None)
    two.run(lambda c: conversations.close(c, CONVERSATION, without_record="no_acw", now=NOW, last_look_at=NOW + 5))
    assert (next_due(OWNER), next_due(OTHER), next_due("a third one")) == (NOW + 5, NOW + 5, NOW + 5)


def consequences(storage: Storage, *, topics: bool = False) -> Consequences:
    clock = FakeClock(LATER)
    pressure = Pressure(calls=Calls.PLENTY, topics=topics)
    return Consequences(storage, settings(), clock, SteadyTime(clock, 3600.0), lambda: pressure)


ANSWERS = {
    "over, live": Finding(asked_at=LATER, live=True, over=True, evidence=True, clears_doubt=True),
    "over, but not yet provable": Finding(asked_at=LATER, lag_ms=300_000, shows_over=True, ended_at=NOW + 5),
    "it goes on": Finding(asked_at=LATER, live=True, goes_on=True, evidence=True, clears_doubt=True, shown=True),
    "something is still to come": Finding(asked_at=LATER, live=True, evidence=True, shown=True),
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("released", [False, True], ids=["covered", "released"])
def test_an_answer_to_an_instance_that_lost_the_conversation_only_stores_what_was_missed(
    two: Storage, answer: str, released: bool
) -> None:
    if released:
        own(two, state="pending", released_at=NOW, channel_id=None, uncovered_since=NOW)
    (one,) = due(two, OWNER)
    own(two, owner=OTHER)
    before = row(two)

    stored = consequences(two, topics=True).store(one, replace(ANSWERS[answer], finished=(WORK,)))

    assert stored.events == 1
    assert (stored.ended_as, stored.released, stored.taken_up) == (None, False, False)
    after = row(two)
    changed = {name for name in after if after[name] != before[name]}
    assert changed <= {"due_at", "deadline_at"}  # by the event; the new owner asks no later than before
    quiet_after_event = two.run(database_now) + 60_000
    assert after["due_at"] <= max(before["due_at"], quiet_after_event)


def test_a_question_that_failed_is_not_postponed_for_the_new_owner(two: Storage) -> None:
    (one,) = due(two, OWNER)
    own(two, owner=OTHER)
    before = row(two)
    consequences(two).postpone(one, LATER)
    assert row(two) == before


CHANGES: dict[str, Callable[[Connection, str], object]] = {
    "close": lambda c, owner: conversations.close(
        c, CONVERSATION, without_record="no_acw", now=LATER, last_look_at=LATER, owner=owner
    ),
    "release": lambda c, owner: reconciliation.release(
        c,
        CONVERSATION,
        owner=owner,
        now=LATER,
        due_at=LATER,
        asked_at=LATER,
        known_until=LATER,
        ended_at=LATER,
        follow_ms=1,
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_while_another_takes_it_over_the_owner_decides_and_the_offer_ends(two: Storage, change: str) -> None:
    """The other one has subscribed the topic, but has not reported that it covers the conversation."""
    own(two, next_owner=OTHER, offered_at=NOW)

    assert not two.run(lambda c: CHANGES[change](c, OTHER))
    assert two.run(lambda c: CHANGES[change](c, OWNER))
    assert (row(two)["next_owner"], row(two)["offered_at"]) == (None, None)
    before = row(two)
    two.run(lambda c: coverage.cover(c, [CONVERSATION], channel_id="d", owner=OTHER, now=LATER, fresh_due_at=LATER))
    assert row(two) == before
