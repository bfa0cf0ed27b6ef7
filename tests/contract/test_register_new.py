"""Several conversations that are registered in one transaction."""

from collections.abc import Callable

import gevent
import pytest
from gevent.event import Event
from sqlalchemy import Connection, update

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import conversations, intake, locks
from genesys_gateway.storage.tables import conversation
from tests.doubles import stored_rows as stored
from tests.doubles.runtime import FakeClock
from tests.doubles.stored_rows import CONVERSATION, NOW, OTHER_CONVERSATION, OWNER


def test_new_ones_are_registered_together_and_only_those(storage: Storage) -> None:
    storage.run(lambda c: stored.register(c, "known"))
    result = AcwEvent(conversation_id="reported", user_id="u", event_time=NOW)
    storage.run(lambda c: intake.put_result(c, result, now=NOW, due_at=NOW, deadline_at=NOW))
    wanted = [stored.newcomer(one) for one in ("new", "known", "reported", "new")]

    new, known, reported, again = storage.run(lambda c: conversations.register_new(c, wanted, OWNER))

    assert (known, again) == (None, None)
    assert new is not None
    assert reported is not None
    assert new == storage.run(lambda c: conversations.view(c, "new"))
    assert [item.event for item in new.timeline] == ["registered"]
    assert reported == storage.run(lambda c: conversations.view(c, "reported"))
    assert [item.event for item in reported.timeline] == ["event_stored", "registered"]
    assert [one.id for one in reported.records] == [result.record_id]


def lock(connection: Connection) -> None:
    locks.hold(connection, CONVERSATION)


def change(connection: Connection) -> None:
    connection.execute(update(conversation).where(conversation.c.id == CONVERSATION).values(asked=1))


@pytest.mark.parametrize("hold", [lock, change])
def test_one_that_another_transaction_has_locked_is_left_out(
    postgres_url: str, hold: Callable[[Connection], None]
) -> None:
    storage = Storage(postgres_url, FakeClock())
    storage.open()
    storage.run(stored.register)
    wanted = [stored.newcomer(one) for one in (CONVERSATION, OTHER_CONVERSATION)]
    locked, release = Event(), Event()

    def hold_it(connection: Connection) -> None:
        hold(connection)
        locked.set()
        release.wait()

    holding = gevent.spawn(storage.run, hold_it)
    locked.wait()
    left, registered = storage.run(lambda c: conversations.register_new(c, wanted, OWNER))
    release.set()
    holding.get()

    assert left is None
    assert registered == storage.run(lambda c: conversations.view(c, OTHER_CONVERSATION))
    storage.close()
