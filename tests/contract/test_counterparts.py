"""Does an after-call work that comes through both doors become one record, on both databases?"""

from dataclasses import replace
from typing import Any

import gevent
import pytest
from sqlalchemy import Row, create_engine, select

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import intake
from genesys_gateway.storage.statements.conversations import register
from genesys_gateway.storage.statements.intake import BACKFILL, LIVE, IntakeResult, SupportResultReceipt
from genesys_gateway.storage.tables import conversation, entry
from tests.contract.processes import python
from tests.doubles import stored_rows as stored
from tests.doubles.stored_rows import NOW

CONVERSATION = "633ba5f4-38cd-48fc-bb4c-d77057990b9e"
AGENT = "8c1bb1b4-2a2c-4c1c-9f0d-3a1d8a7d0001"
OTHER_AGENT = "8c1bb1b4-2a2c-4c1c-9f0d-3a1d8a7d0002"
CUSTOMER = "54e1e41b-4f5f-40ff-aa20-dfe79e4fc1d4"
DUE, DEADLINE = NOW + 60_000, NOW + 259_200_000
LIMIT = 120_000


def event(session: str = "s-1", at: int | None = NOW, agent: str | None = AGENT, **changes: Any) -> AcwEvent:
    """What Genesys tells."""
    known: dict[str, Any] = {"participant_id": "p-1", "session_id": session, "queue_id": "q-1"} | changes
    return AcwEvent(conversation_id=CONVERSATION, user_id=agent, event_time=at, media_type="VOICE", **known)


def result(at: int = NOW, agent: str = AGENT, **changes: Any) -> AcwEvent:
    """What the old trigger tells."""
    return AcwEvent(conversation_id=CONVERSATION, user_id=agent, event_time=at, media_type="VOICE", **changes)


class Doors:
    """Both doors of one database, and what is behind them."""

    def __init__(self, storage: Storage) -> None:
        self.run = storage.run

    def follow(self, **changes: Any) -> None:
        if changes:
            self.run(lambda c: stored.put_conversations(c, stored.conversation_row(CONVERSATION, **changes)))
            return
        self.run(
            lambda c: register(c, CONVERSATION, CUSTOMER, owner="me", now=NOW, due_at=DEADLINE, deadline_at=DEADLINE)
        )

    def genesys(self, told: AcwEvent, source: str = LIVE) -> IntakeResult:
        return self.run(lambda c: intake.put(c, told, source, now=NOW, due_at=DUE, deadline_at=DEADLINE))

    def trigger(self, told: AcwEvent) -> SupportResultReceipt:
        return self.run(lambda c: intake.put_result(c, told, now=NOW, due_at=DUE, deadline_at=DEADLINE))

    def entries(self) -> list[Row[*tuple[Any, ...]]]:
        return self.run(lambda c: list(c.execute(select(entry).order_by(entry.c.event_time, entry.c.source))))

    def pairs(self) -> set[tuple[str, str | None]]:
        return {(row.id, row.twin_id) for row in self.entries()}

    def change(self, **values: Any) -> None:
        self.run(lambda c: c.execute(entry.update().values(values)).close())

    def timeline(self) -> list[tuple[str, str | None]]:
        return self.run(lambda c: stored.get_timeline(c, CONVERSATION))

    def conversation(self) -> Row[*tuple[Any, ...]]:
        return self.run(lambda c: c.execute(select(conversation)).one())


@pytest.fixture
def doors(storage: Storage) -> Doors:
    return Doors(storage)


@pytest.fixture
def followed(doors: Doors) -> Doors:
    doors.follow()
    return doors


def test_a_result_becomes_an_entry_and_its_conversation_is_due(followed: Doors) -> None:
    kept = followed.trigger(result(ani="+639171234567"))

    assert kept == SupportResultReceipt(taken=IntakeResult.STORED, record_id=result().record_id, state="pending")
    (row,) = followed.entries()
    assert (row.source, row.user_id, row.event_time, row.participant_id) == ("supportResult", AGENT, NOW, None)
    assert AcwEvent.from_json(row.content) == result(ani="+639171234567")
    assert (followed.conversation().due_at, followed.conversation().deadline_at) == (DUE, DEADLINE)
    assert followed.timeline()[1:] == [("event_stored", kept.record_id)]


def test_a_result_registers_nothing(doors: Doors) -> None:
    kept = doors.trigger(result())

    assert kept.taken is IntakeResult.STORED
    assert doors.run(lambda c: c.execute(select(conversation)).all()) == []
    assert doors.pairs() == {(kept.record_id, None)}


@pytest.mark.parametrize("outcome", ["no_acw", "unresolved", "logged"])
def test_a_result_of_a_closed_conversation_is_late_and_makes_it_logged(doors: Doors, outcome: str) -> None:
    doors.follow(outcome=outcome)

    kept = doors.trigger(result())

    assert (doors.conversation().state, doors.conversation().outcome) == ("closed", "logged")
    assert doors.timeline() == [("event_stored", kept.record_id), ("late_event", kept.record_id)]


@pytest.mark.parametrize("source", [LIVE, BACKFILL])
@pytest.mark.parametrize("apart", [0, 1, -LIMIT, LIMIT])
def test_an_event_after_its_result_is_no_second_record(followed: Doors, source: str, apart: int) -> None:
    kept = followed.trigger(result())

    assert followed.genesys(event(at=NOW + apart), source) is IntakeResult.DUPLICATE

    assert followed.pairs() == {(kept.record_id, event().record_id)}
    assert followed.timeline()[1:] == [("event_stored", kept.record_id)]


@pytest.mark.parametrize("source", [LIVE, BACKFILL])
@pytest.mark.parametrize("apart", [0, 1, -LIMIT, LIMIT])
def test_a_result_after_its_event_is_answered_with_the_record_of_the_event(
    followed: Doors, source: str, apart: int
) -> None:
    followed.genesys(event(), source)

    kept = followed.trigger(result(at=NOW + apart))

    assert kept == SupportResultReceipt(taken=IntakeResult.DUPLICATE, record_id=event().record_id, state="pending")
    assert followed.pairs() == {(event().record_id, kept_id(NOW + apart))}


def kept_id(at: int) -> str:
    return result(at=at).record_id


@pytest.mark.parametrize(
    "other",
    [
        event(at=NOW + LIMIT + 1),
        event(at=NOW - LIMIT - 1),
        event(agent=OTHER_AGENT),
        event(agent=None),
        event(at=None),
    ],
)
def test_another_agent_or_another_time_is_another_work(followed: Doors, other: AcwEvent) -> None:
    followed.trigger(result())

    assert followed.genesys(other) is IntakeResult.STORED

    assert {row.twin_id for row in followed.entries()} == {None}


@pytest.mark.parametrize(
    "other", [event(at=NOW + LIMIT + 1), event(agent=OTHER_AGENT), event(agent=None), event(at=None)]
)
def test_so_it_is_when_the_event_comes_first(followed: Doors, other: AcwEvent) -> None:
    followed.genesys(other)

    assert followed.trigger(result()).taken is IntakeResult.STORED


def test_another_conversation_of_the_agent_is_another_work(followed: Doors) -> None:
    followed.trigger(replace(result(), conversation_id="0d9f3f0c-6f0e-5b52-9d3f-7a0a6c1e2b44"))

    assert followed.genesys(event()) is IntakeResult.STORED


def test_results_are_the_same_only_if_their_times_are_equal(followed: Doors) -> None:
    first, again, second = (followed.trigger(result(at=at)) for at in (NOW, NOW, NOW + 1))

    assert (first.taken, again.taken, second.taken) == (
        IntakeResult.STORED,
        IntakeResult.DUPLICATE,
        IntakeResult.STORED,
    )
    assert first.record_id == again.record_id != second.record_id


def test_two_sessions_of_an_agent_need_two_results(followed: Doors) -> None:
    followed.trigger(result())

    assert followed.genesys(event("s-1")) is IntakeResult.DUPLICATE
    assert followed.genesys(event("s-2", at=NOW + 1)) is IntakeResult.STORED

    second = followed.trigger(result(at=NOW + 2))
    assert (second.taken, second.record_id) == (IntakeResult.DUPLICATE, event("s-2").record_id)
    assert followed.trigger(result(at=NOW + 3)).taken is IntakeResult.STORED, "nobody is left to be its twin"


def test_the_nearest_in_time_is_the_twin(followed: Doors) -> None:
    for session, at in (("s-1", NOW - 100), ("s-2", NOW + 99), ("s-3", NOW + 5000)):
        followed.genesys(event(session, at=at))

    assert followed.trigger(result()).record_id == event("s-2").record_id
    assert followed.trigger(result(at=NOW + 1)).record_id == event("s-1").record_id, "the nearest that is left"


def test_the_nearest_result_is_the_twin(followed: Doors) -> None:
    near, far = followed.trigger(result(at=NOW + 10)), followed.trigger(result(at=NOW - 20))

    followed.genesys(event())

    assert followed.pairs() == {(near.record_id, event().record_id), (far.record_id, None)}


def test_a_pair_is_recognised_again_and_again_from_both_sides(followed: Doors) -> None:
    kept = followed.trigger(result())
    # A second result nearby must not be taken for a twin of what has one.
    followed.genesys(event())
    other = followed.trigger(result(at=NOW + 1))

    for _ in range(3):
        assert followed.genesys(event(), BACKFILL) is IntakeResult.DUPLICATE
        assert followed.genesys(event()) is IntakeResult.DUPLICATE
        assert followed.trigger(result()) == replace(kept, taken=IntakeResult.DUPLICATE)
        # Reconciliation may date it otherwise than the notification did, ever so far away.
        assert followed.genesys(event(at=NOW + 10 * LIMIT), BACKFILL) is IntakeResult.DUPLICATE

    assert followed.pairs() == {(kept.record_id, event().record_id), (other.record_id, None)}


def test_a_result_is_known_as_the_twin_of_an_event_however_often_it_comes(followed: Doors) -> None:
    followed.genesys(event())

    for _ in range(3):
        assert followed.trigger(result()).record_id == event().record_id

    assert followed.pairs() == {(event().record_id, kept_id(NOW))}


def test_an_event_that_stood_alone_takes_no_result_later(followed: Doors) -> None:
    followed.genesys(event(agent=None))
    alone = followed.trigger(result())

    # The backfill knows the agent whom the notification did not name.
    assert followed.genesys(event(), BACKFILL) is IntakeResult.DUPLICATE

    assert followed.pairs() == {(event().record_id, None), (alone.record_id, None)}


def test_a_live_event_replaces_a_backfilled_twin_and_the_pair_stands(followed: Doors) -> None:
    followed.genesys(event(at=NOW + 3), BACKFILL)
    followed.trigger(result())

    assert followed.genesys(event()) is IntakeResult.REPLACED

    (row,) = followed.entries()
    assert (row.source, row.event_time, row.twin_id) == ("live", NOW, kept_id(NOW))
    assert followed.trigger(result()).taken is IntakeResult.DUPLICATE


def test_what_genesys_says_differently_the_second_time_is_an_amendment(followed: Doors) -> None:
    kept = followed.trigger(result())

    assert followed.genesys(event()) is IntakeResult.DUPLICATE
    assert followed.genesys(event(wrapup_notes="Called back")) is IntakeResult.AMENDED

    (row,) = followed.entries()
    assert row.amended
    assert AcwEvent.from_json(row.content) == result(), "the first stands"
    assert AcwEvent.from_json(row.amended_content).wrapup_notes == "Called back"
    assert followed.timeline()[-1] == ("amended", kept.record_id)


def test_a_result_that_comes_again_with_other_content_is_an_amendment(followed: Doors) -> None:
    first = followed.trigger(result(subject="Loan"))

    assert followed.trigger(result(subject="Card")) == replace(first, taken=IntakeResult.AMENDED)
    assert followed.trigger(result(subject="Card")) == replace(first, taken=IntakeResult.DUPLICATE)


@pytest.mark.parametrize("state", ["delivered", "dead"])
def test_a_result_of_what_has_ended_is_told_how(followed: Doors, state: str) -> None:
    followed.genesys(event())
    followed.change(state=state)

    assert followed.trigger(result()) == SupportResultReceipt(
        taken=IntakeResult.DUPLICATE, record_id=event().record_id, state=state
    )


def test_a_dead_result_keeps_its_event_from_becoming_a_second_record(followed: Doors) -> None:
    kept = followed.trigger(result())
    followed.change(state="dead")

    assert followed.genesys(event()) is IntakeResult.DUPLICATE
    assert followed.pairs() == {(kept.record_id, event().record_id)}


@pytest.mark.parametrize("paired", [False, True])
def test_what_is_erased_is_still_known_and_gets_no_content_back(followed: Doors, paired: bool) -> None:
    followed.trigger(result(ani="+639171234567"))
    if paired:
        followed.genesys(event(ani="+639171234567"))
    followed.change(state="delivered", content=None, amended_content=None, erased_at=NOW)

    assert followed.genesys(event(ani="+639171234567")) is IntakeResult.DUPLICATE
    assert followed.trigger(result(ani="+639171234567")).taken is IntakeResult.DUPLICATE

    (row,) = followed.entries()
    assert (row.content, row.amended_content, row.amended) == (None, None, False)


def test_an_erased_event_is_still_the_twin_of_its_result(followed: Doors) -> None:
    followed.genesys(event())
    followed.change(state="delivered", content=None, erased_at=NOW)

    assert followed.trigger(result()).record_id == event().record_id


def test_an_event_without_a_session_has_the_id_of_its_result(followed: Doors) -> None:
    nobody = event(session_id=None, participant_id=None)
    assert nobody.record_id == kept_id(NOW)

    kept = followed.trigger(result())
    assert followed.genesys(nobody) is IntakeResult.DUPLICATE

    assert followed.pairs() == {(kept.record_id, kept.record_id)}
    assert followed.genesys(event("s-2")) is IntakeResult.STORED, "the result has its twin already"


def test_a_result_with_the_id_of_an_event_is_that_event(followed: Doors) -> None:
    followed.genesys(event(session_id=None, participant_id=None))

    assert followed.trigger(result()).taken is IntakeResult.DUPLICATE
    assert followed.trigger(result(at=NOW + 1)).taken is IntakeResult.STORED, "it has its twin already"


@pytest.mark.parametrize("first", ["event", "result"])
def test_who_comes_at_the_same_moment_waits_for_the_first(postgres_url: str, first: str) -> None:
    engine = create_engine(postgres_url, execution_options={"preserve_rowcount": True})
    storage = Storage(postgres_url, SystemClock())
    storage.open()
    doors = Doors(storage)
    doors.follow()

    with engine.begin() as connection:  # not committed before the second has looked
        if first == "event":
            intake.put(connection, event(), LIVE, now=NOW, due_at=DUE, deadline_at=DEADLINE)
            second = gevent.spawn(lambda: doors.trigger(result()).taken)
        else:
            intake.put_result(connection, result(), now=NOW, due_at=DUE, deadline_at=DEADLINE)
            second = gevent.spawn(lambda: doors.genesys(event()))
        assert not second.ready()
        gevent.sleep(0.1)
        assert not second.ready()

    assert second.get(timeout=5) is IntakeResult.DUPLICATE
    assert len(doors.entries()) == 1
    storage.close()
    engine.dispose()


#: Tells of 60 after-call works through one door, each of several greenlets in an order of its own.
_TELL = """
import sys
from gevent import monkey
monkey.patch_all()
import random, gevent
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.storage import Storage
from tests.contract.test_twins import Doors, event, result, NOW

url, door, seed = sys.argv[1:]
storage = Storage(url, SystemClock())
storage.open()
doors = Doors(storage)
print("ready", flush=True)
sys.stdin.readline()

def tell(number):
    works = list(range(60))
    random.Random(int(seed) * 100 + number).shuffle(works)
    for work in works:
        at = NOW + work * 1_000_000
        if door == "genesys":
            doors.genesys(event(f"s-{work}", at=at), random.choice(("live", "backfill")))
        else:
            doors.trigger(result(at=at + 120_000))

gevent.joinall([gevent.spawn(tell, number) for number in range(4)], raise_error=True)
storage.close()
print("done", flush=True)
"""


def test_four_processes_at_once_make_one_record_of_each_work(postgres_url: str) -> None:
    storage = Storage(postgres_url, SystemClock())
    storage.open()
    doors = Doors(storage)
    doors.follow()

    with (
        python(_TELL, postgres_url, "genesys", "1") as one,
        python(_TELL, postgres_url, "trigger", "2") as two,
        python(_TELL, postgres_url, "genesys", "3") as three,
        python(_TELL, postgres_url, "trigger", "4") as four,
    ):
        told = [gevent.spawn(process.communicate, b"\n", timeout=60) for process in (one, two, three, four)]
        gevent.joinall(told, raise_error=True)

    assert [greenlet.get()[0] for greenlet in told] == [b"done\n"] * 4
    rows = doors.entries()
    assert len(rows) == 60
    assert None not in {row.twin_id for row in rows}
    assert len({row.source == "supportResult" for row in rows}) == 2, "each door was first now and then"
    storage.close()
