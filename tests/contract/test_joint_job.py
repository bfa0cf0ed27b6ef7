"""A job that greenlets run together, on both databases."""

from collections.abc import Sequence
from typing import Any

import gevent
import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from genesys_gateway.runtime.errors import StorageUnavailable
from genesys_gateway.storage import JointJob, Storage
from genesys_gateway.storage.many_rows import insert_all
from genesys_gateway.storage.tables import registration


class Acceptance:
    """A joint job that writes one row for each item, and remembers which items came together."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.groups: list[list[str]] = []
        self.joint = JointJob(storage, "test", self._accept)

    def _accept(self, connection: Connection, items: Sequence[str]) -> Sequence[str]:
        self.groups.append(list(items))
        insert_all(connection, registration, [{"conversation_id": one, "accepted_at": 1} for one in items])
        return [f"{one} accepted" for one in items]

    def run_all(self, *items: str) -> list[Any]:
        """What each item got, when as many greenlets run the job at once."""
        greenlets = [gevent.spawn(self.joint.run, one) for one in items]
        gevent.joinall(greenlets)
        return [one.exception or one.value for one in greenlets]

    def accepted(self) -> set[str]:
        query = select(registration.c.conversation_id)
        return self.storage.run(lambda connection: set(connection.execute(query).scalars()))


@pytest.fixture
def acceptance(storage: Storage) -> Acceptance:
    return Acceptance(storage)


def test_a_lone_item_is_committed_at_once(acceptance: Acceptance) -> None:
    assert acceptance.joint.run("a") == "a accepted"
    assert acceptance.accepted() == {"a"}


def test_items_that_come_together_share_a_transaction(acceptance: Acceptance) -> None:
    items = [f"c-{n}" for n in range(300)]

    assert acceptance.run_all(*items) == [f"{one} accepted" for one in items]

    assert acceptance.accepted() == set(items)
    assert [one for group in acceptance.groups for one in group] == items
    assert max(map(len, acceptance.groups)) == 128


def test_an_item_that_fails_harms_no_other(acceptance: Acceptance) -> None:
    acceptance.joint.run("known")

    results = acceptance.run_all("a", "known", "b")

    assert [type(one) for one in results] == [str, IntegrityError, str]
    assert acceptance.accepted() == {"known", "a", "b"}


def test_all_fail_if_the_storage_does(acceptance: Acceptance) -> None:
    acceptance.storage.close()

    assert [type(one) for one in acceptance.run_all("a", "b")] == [StorageUnavailable] * 2
    assert acceptance.groups == []


def test_it_runs_again_after_a_failure(acceptance: Acceptance) -> None:
    acceptance.joint.run("a")
    with pytest.raises(IntegrityError):
        acceptance.joint.run("a")

    assert acceptance.joint.run("b") == "b accepted"


def test_what_no_one_waits_for_any_longer_is_dropped(acceptance: Acceptance) -> None:
    waiting = [gevent.spawn(acceptance.joint.run, f"c-{n}") for n in range(129)]
    gevent.sleep(0)  # all have come
    gevent.sleep(0)  # the first transaction has begun
    waiting[128].kill()  # its turn would be the second transaction
    gevent.joinall(waiting)

    assert acceptance.joint.run("next") == "next accepted"
    assert acceptance.accepted() == {"next", *(f"c-{n}" for n in range(128))}
