"""Is each transition of a conversation one line in the log, after its commit, and found by the conversation's id?"""

import io
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import timeline
from tests.doubles.log_lines import configured, logging_restored, written

NOW = 1_763_805_600_000
ONE, OTHER = "c0000000-0000-4000-8000-000000000001", "c0000000-0000-4000-8000-000000000002"
RECORD = "a0000000-0000-5000-8000-000000000001"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    with logging_restored():
        yield configured()


def _events(stream: io.StringIO) -> list[dict[str, object]]:
    ours = [line for line in written(stream) if line["logger"].endswith("storage.noted")]
    return [{key: one for key, one in line.items() if key not in ("at", "logger", "level")} for line in ours]


def test_a_transition_is_a_line_with_the_ids_it_is_about(storage: Storage, stream: io.StringIO) -> None:
    def job(connection: Connection) -> None:
        timeline.note(connection, ONE, NOW, "registered")
        timeline.note(connection, ONE, NOW, "event_stored", RECORD)
        timeline.note(connection, ONE, NOW, "requeued", f"{RECORD} by hand")
        timeline.note(connection, ONE, NOW, "closed", "logged")
        timeline.note(connection, OTHER, NOW, "rejected", "no such topic")

    storage.run(job)

    assert _events(stream) == [
        {"event": "registered", "conversation": ONE},
        {"event": "event_stored", "conversation": ONE, "record": RECORD},
        {"event": "requeued", "conversation": ONE, "record": RECORD, "reason": "by hand"},
        {"event": "closed", "conversation": ONE, "outcome": "logged"},
        {"event": "rejected", "conversation": OTHER, "reason": "no such topic"},
    ]


def test_what_is_rolled_back_is_not_logged(storage: Storage, stream: io.StringIO) -> None:
    def job(connection: Connection) -> None:
        timeline.note(connection, ONE, NOW, "registered")
        raise LookupError

    with pytest.raises(LookupError):
        storage.run(job)
    storage.run(lambda connection: timeline.note(connection, OTHER, NOW, "subscribed"))

    assert _events(stream) == [{"event": "subscribed", "conversation": OTHER}]


def test_a_thousand_transitions_at_once_share_lines_in_which_each_id_is_found(
    storage: Storage, stream: io.StringIO
) -> None:
    ids = [f"c0000000-0000-4000-8000-{number:012}" for number in range(1000)]

    storage.run(lambda connection: timeline.note_all(connection, ids, NOW, "uncovered"))

    lines = stream.getvalue().splitlines()
    assert len(lines) == 20
    assert max(map(len, lines)) < 4096, "a pipe takes the line as a whole"
    assert sum(line["conversations"] for line in written(stream)) == 1000
    assert all(any(one in line for line in lines) for one in ids)
