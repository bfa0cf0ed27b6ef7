"""Statements for any number of rows, on both databases."""

from typing import Any

import pytest
from sqlalchemy import select

from genesys_gateway.storage import NOT_STORABLE, Storage
from genesys_gateway.storage.many_rows import insert_all, is_among, put_new_all, update_all
from genesys_gateway.storage.tables import conversation, registration, transition

_ALL = select(registration.c.conversation_id, registration.c.accepted_at).order_by(registration.c.conversation_id)


def accepted(*ids: str, at: int = 1) -> list[dict[str, Any]]:
    return [{"conversation_id": one, "accepted_at": at} for one in ids]


def stored(storage: Storage) -> list[tuple[Any, ...]]:
    return storage.run(lambda connection: [tuple(row) for row in connection.execute(_ALL)])


@pytest.mark.parametrize("count", [0, 1, 3, 700])
def test_all_rows_are_inserted_in_their_order(storage: Storage, count: int) -> None:
    lines = [
        {"conversation_id": "c", "at": n, "event": "e", "detail": "odd ✓ text" if n else None} for n in range(count)
    ]
    storage.run(lambda connection: insert_all(connection, transition, lines))
    query = select(transition.c.at, transition.c.detail).order_by(transition.c.seq)
    found = storage.run(lambda connection: [tuple(row) for row in connection.execute(query)])
    assert found == [(line["at"], line["detail"]) for line in lines]


def test_columns_that_are_not_named_get_their_defaults(storage: Storage) -> None:
    row = {"id": "c", "state": "pending", "created_at": 2**40, "deadline_at": 5, "in_doubt": True}
    storage.run(lambda connection: insert_all(connection, conversation, [row]))
    found = storage.run(lambda connection: connection.execute(select(conversation)).one()._asdict())
    assert (found["created_at"], found["in_doubt"], found["epoch"], found["outcome"]) == (2**40, True, 0, None)


def test_only_new_rows_are_put_and_their_keys_are_returned(storage: Storage) -> None:
    storage.run(lambda connection: insert_all(connection, registration, accepted("a", "b")))
    again = accepted("b", "c", at=2) + accepted("c", at=3)
    assert storage.run(lambda connection: put_new_all(connection, registration, again)) == {"c"}
    assert storage.run(lambda connection: put_new_all(connection, registration, again)) == set()
    assert storage.run(lambda connection: put_new_all(connection, registration, [])) == set()
    assert stored(storage) == [("a", 1), ("b", 1), ("c", 2)]


def test_rows_are_changed_by_their_key(storage: Storage) -> None:
    storage.run(lambda connection: insert_all(connection, registration, accepted("a", "b", "c")))
    changes = accepted("c", at=30) + accepted("a", at=10) + accepted("unknown", at=99)
    storage.run(lambda connection: update_all(connection, registration, changes))
    assert stored(storage) == [("a", 10), ("b", 1), ("c", 30)]


@pytest.mark.parametrize("wanted", [[], ["b"], ["a", "b", "x"], ['"', "a"]])
def test_rows_are_found_by_a_list_of_any_length(storage: Storage, wanted: list[str]) -> None:
    storage.run(lambda connection: insert_all(connection, registration, accepted("a", "b", '"')))
    query = select(registration.c.conversation_id).where(is_among(registration.c.conversation_id, "ids"))
    found = storage.run(lambda connection: set(connection.execute(query, {"ids": wanted}).scalars()))
    assert found == {"a", "b", '"'} & set(wanted)


@pytest.mark.parametrize("text", ["half \ud83d", "nul \x00"])
def test_what_cannot_be_stored_is_refused_as_such(storage: Storage, text: str) -> None:
    line = {"conversation_id": "c", "at": 1, "event": "e", "detail": text}
    if text.endswith("\x00") and "sqlite" in str(storage.run(lambda connection: connection.dialect.name)):
        pytest.skip("SQLite stores it")
    with pytest.raises(NOT_STORABLE):
        storage.run(lambda connection: insert_all(connection, transition, [line]))
