"""What every room may rely on when it hands a job to storage, on either database."""

from sqlalchemy import Connection, select

from genesys_gateway.storage import Storage
from genesys_gateway.storage.tables import registration


def accept(connection: Connection, conversation_id: str, accepted_at: int = 1) -> None:
    connection.execute(registration.insert().values(conversation_id=conversation_id, accepted_at=accepted_at))


def accepted(connection: Connection) -> set[str]:
    return set(connection.execute(select(registration.c.conversation_id)).scalars())


def test_what_a_job_wrote_is_there_after_run_returned(storage: Storage) -> None:
    storage.run(lambda connection: accept(connection, "a"))

    assert storage.run(accepted) == {"a"}
