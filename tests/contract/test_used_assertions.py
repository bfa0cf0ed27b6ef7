"""Used assertions are known to later processes and to other instances, on both databases."""

import pytest

from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements.used_assertions import StoredUsedAssertions
from tests.doubles.runtime import FakeClock

A, B, C, D = (letter * 64 for letter in "abcd")


@pytest.fixture
def used(storage: Storage) -> StoredUsedAssertions:
    return StoredUsedAssertions(storage)


def test_what_was_noted_is_known_to_the_next_process_also_after_others(
    used: StoredUsedAssertions, storage: Storage, database_url: str, clock: FakeClock
) -> None:
    assert [used.note(digest) for digest in (A, B)] == [True, True]
    storage.close()
    after = Storage(database_url, clock)
    after.open()
    next_one = StoredUsedAssertions(after)

    assert [next_one.was_used(digest) for digest in (A, B, C)] == [True, True, False]
    assert [next_one.note(digest) for digest in (A, B, C)] == [False, False, True]
    after.close()


def test_what_was_not_used_after_all_may_be_noted_again(used: StoredUsedAssertions) -> None:
    used.note(A)

    used.forget(A)

    assert not used.was_used(A)
    assert used.note(A)


def test_only_the_latest_are_kept_and_the_new_one_always(storage: Storage, clock: FakeClock) -> None:
    used = StoredUsedAssertions(storage, kept=2)
    for digest in (A, B, C):
        clock.advance(1)
        used.note(digest)
    assert [used.was_used(digest) for digest in (A, B, C)] == [False, True, True]

    clock.jump(-3600)
    used.note(D)

    assert used.was_used(D)
