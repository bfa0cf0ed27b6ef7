"""Rows are counted by triggers, on both databases: also what nobody meant to do is counted, and no session waits."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, delete, func, select, update

from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.storage import Storage
from genesys_gateway.storage.operator_session import OperatorSession
from genesys_gateway.storage.portable import put_new
from genesys_gateway.storage.statements import accounting, outbox, tally
from genesys_gateway.storage.tables import conversation, entry, registration
from genesys_gateway.storage.tables import tally as table
from tests.doubles import stored_rows as stored
from tests.doubles.runtime import until
from tests.doubles.stored_rows import CONVERSATION, NOW, OTHER_CONVERSATION


def counted(connection: Connection) -> dict[str, tuple[int, int]]:
    """What the triggers have counted, beside what is there."""
    backlog, balance = outbox.backlog(connection, NOW), accounting.balance(connection)

    def there(query: object) -> int:
        return int(connection.execute(query).scalar_one())  # type: ignore[call-overload]

    rows = select(func.count())
    return {
        "accepted": (balance.accepted, there(rows.select_from(registration))),
        "conversations": (sum(balance.states.values()), there(rows.select_from(conversation))),
        "pending": (backlog.pending, there(rows.select_from(entry).where(entry.c.state == "pending"))),
        "dead": (
            backlog.dead,
            there(rows.select_from(entry).where(entry.c.state == "dead", entry.c.erased_at.is_(None))),
        ),
    }


def change(**values: object) -> Callable[[Connection], object]:
    return lambda c: c.execute(update(entry).values(values))


CHANGES: dict[str, Callable[[Connection], object]] = {
    "it is delivered": change(state="delivered"),
    "it dies": change(state="dead"),
    "it dies and is erased": change(state="dead", erased_at=1),
    "it is claimed": change(claim=7),
    "it is deleted": lambda c: c.execute(delete(entry)),
    "its conversation is deleted": lambda c: c.execute(delete(conversation)),
    "its registration is deleted": lambda c: c.execute(delete(registration)),
    "its conversation is registered again": stored.register,
    "it is put again": lambda c: put_new(c, entry, stored.pending_row("r-1", CONVERSATION)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_counted_is_what_is_there(storage: Storage, name: str) -> None:
    storage.run(stored.register)
    storage.run(lambda c: stored.register(c, OTHER_CONVERSATION))
    storage.run(
        lambda c: stored.put_entries(
            c, *(stored.pending_row(f"r-{number}", CONVERSATION) for number in range(3)), stored.dead_row("r-9", "c")
        )
    )

    storage.run(CHANGES[name])

    found = storage.run(counted)
    assert all(count == there for count, there in found.values()), found


def test_a_change_that_is_rolled_back_is_not_counted(storage: Storage) -> None:
    def fails(connection: Connection) -> None:
        stored.register(connection)
        raise KeyError("after the registration")

    with pytest.raises(KeyError):
        storage.run(fails)

    assert storage.run(accounting.balance).accepted == 0


@pytest.mark.parametrize("state", ["pending", "closed"])
def test_a_conversation_that_vanishes_is_missed_in_the_balance(storage: Storage, state: str) -> None:
    storage.run(stored.register)
    storage.run(lambda c: c.execute(update(conversation).values(state=state)).close())
    assert storage.run(accounting.balance).unaccounted == 0

    storage.run(lambda c: c.execute(delete(conversation)).close())

    assert storage.run(accounting.balance).unaccounted == 1


def test_a_registration_does_not_wait_for_the_commit_of_another(postgres_url: str) -> None:
    with OperatorSession(postgres_url, SystemClock(), 2.0) as one, OperatorSession(postgres_url, SystemClock()) as two:

        def meanwhile(connection: Connection) -> None:
            stored.register(connection)
            two.write(lambda c: stored.register(c, OTHER_CONVERSATION))

        one.write(meanwhile)

        assert one.read(accounting.balance).accepted == 2
        assert one.read(sessions) == 2


def sessions(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(table).where(table.c.session != 0)).scalar_one()


def test_the_rows_of_ended_sessions_are_summed_up(postgres_url: str) -> None:
    for one in (CONVERSATION, OTHER_CONVERSATION):
        with OperatorSession(postgres_url, SystemClock()) as session:
            session.write(lambda c, one=one: stored.register(c, one))  # type: ignore[misc]

    with OperatorSession(postgres_url, SystemClock()) as session:

        def fold_all() -> bool:
            session.write(tally.fold)
            return session.read(sessions) == 0

        until(fold_all)  # a session takes a moment to end
        assert session.read(accounting.balance).accepted == 2


def test_to_sum_up_does_not_wait_for_a_session_that_counts(postgres_url: str) -> None:
    with OperatorSession(postgres_url, SystemClock()) as one, OperatorSession(postgres_url, SystemClock(), 2.0) as two:

        def meanwhile(connection: Connection) -> None:
            stored.register(connection)
            two.write(tally.fold)
            stored.register(connection, OTHER_CONVERSATION)

        one.write(stored.register)
        one.write(lambda c: stored.register(c, "633ba5f4-38cd-48fc-bb4c-d77057990ba0"))
        one.write(meanwhile)

        assert one.read(accounting.balance).accepted == 3


def test_the_row_of_a_living_session_is_not_summed_up(postgres_url: str) -> None:
    with OperatorSession(postgres_url, SystemClock()) as one, OperatorSession(postgres_url, SystemClock()) as two:
        one.write(stored.register)
        two.write(tally.fold)

        assert two.read(sessions) == 1
        assert two.read(accounting.balance).accepted == 1


def test_nobody_waits_to_sum_up(postgres_url: str) -> None:
    with OperatorSession(postgres_url, SystemClock()) as one, OperatorSession(postgres_url, SystemClock(), 2.0) as two:

        def meanwhile(connection: Connection) -> None:
            tally.fold(connection)
            two.write(tally.fold)
            two.write(lambda c: tally.add_forgotten(c, registrations=1, conversations=1, missed=0))

        one.write(tally.fold)
        one.write(meanwhile)

        assert one.read(accounting.balance).accepted == 1
