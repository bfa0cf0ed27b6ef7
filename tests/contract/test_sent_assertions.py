"""What became of assertions is known to later processes and to other instances, on both databases."""

import pytest

from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements.sent_assertions import StoredSentAssertions
from tests.doubles.runtime import FakeClock

A, B, C, D = (letter * 64 for letter in "abcd")


@pytest.fixture
def sent(storage: Storage) -> StoredSentAssertions:
    return StoredSentAssertions(storage)


def test_what_was_noted_is_known_to_the_next_process(
    sent: StoredSentAssertions, storage: Storage, database_url: str, clock: FakeClock
) -> None:
    sent.note(A, "sent")
    sent.note(B, "granted")
    sent.note(C, "refused")
    storage.close()
    after = Storage(database_url, clock)
    after.open()
    next_one = StoredSentAssertions(after)

    assert [next_one.fate(digest) for digest in (A, B, C, D)] == ["sent", "granted", "refused", None]
    after.close()


def test_a_fate_is_only_replaced_by_a_more_final_one(sent: StoredSentAssertions) -> None:
    sent.note(A, "sent")
    sent.note(A, "granted")
    sent.note(A, "sent")
    assert sent.fate(A) == "granted"

    sent.note(A, "refused")
    for fate in ("sent", "granted", "refused"):
        sent.note(A, fate)
    assert sent.fate(A) == "refused"


def test_only_the_latest_are_kept_and_the_new_one_always(storage: Storage, clock: FakeClock) -> None:
    sent = StoredSentAssertions(storage, kept=2)
    for digest in (A, B, C):
        clock.advance(1)
        sent.note(digest, "sent")
    assert [sent.fate(digest) for digest in (A, B, C)] == [None, "sent", "sent"]

    clock.jump(-3600)
    sent.note(D, "refused")

    assert sent.fate(D) == "refused"
