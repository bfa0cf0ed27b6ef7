"""The HTTP client of CommunicationHistory over real sockets: what it sends, and the result of each ending."""

import json
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from gevent import socket
from gevent.event import Event

from genesys_gateway.delivery.history_client import HistoryClient
from genesys_gateway.delivery.outcome import Outcome, Result
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime.http_client import HttpClient
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.settings.secret import Secret
from tests.doubles.genesys import answer, listening, request_of, settings

RECORD = "00000000-0000-4000-8000-000000000001"


class Receiver:
    """A server that keeps the requests, and sends its answers in turn, the last one again and again."""

    def __init__(self, stack: ExitStack, *answers: bytes, **changes: Any) -> None:
        self.requests: list[bytes] = []
        self._answers = list(answers)
        url = stack.enter_context(listening(self._handle))
        self.history = new_history(stack, f"{url}/history", **changes)

    def _handle(self, connection: Any) -> None:
        while request := request_of(connection):
            self.requests.append(request)
            connection.sendall(self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])

    def header(self, position: int, name: str) -> str | None:
        for line in self.requests[position].split(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
            key, _, value = line.partition(b": ")
            if key.decode().lower() == name.lower():
                return value.decode()
        return None


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def new_history(stack: ExitStack, url: str, **changes: Any) -> HistoryClient:
    made = settings(**changes)
    http = HttpClient(made, url, SystemClock(), 8)
    stack.callback(http.close)
    return HistoryClient(made, http, SystemClock(), Metrics())


def history_at(stack: ExitStack, handle: Callable[[Any], object], **changes: Any) -> HistoryClient:
    return new_history(stack, stack.enter_context(listening(handle)), **changes)


def status(code: int, *headers: str) -> bytes:
    return answer(b"", f"{code} So", *headers)


def hang_until(released: Event) -> Callable[[Any], None]:
    def handle(connection: Any) -> None:
        request_of(connection)
        released.wait()

    return handle


def reset_after_request(connection: Any) -> None:
    request_of(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def unused_url() -> str:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


def test_a_record_is_posted_with_its_id_as_idempotency_key(stack: ExitStack) -> None:
    receiver = Receiver(stack, status(201))

    result = receiver.history.post({"id": RECORD, "title": "Ñ"})

    assert result == Result(outcome=Outcome.STORED)
    assert receiver.requests[0].startswith(b"POST /history/communicationRecords HTTP/1.1\r\n")
    assert receiver.header(0, "Idempotency-Key") == RECORD
    assert receiver.header(0, "Content-Type") == "application/json"
    assert receiver.header(0, "Authorization") is None
    assert json.loads(receiver.requests[0].split(b"\r\n\r\n")[1]) == {"id": RECORD, "title": "Ñ"}


def test_the_token_goes_with_every_call(stack: ExitStack) -> None:
    receiver = Receiver(stack, status(200), communication_history_token=Secret.of("the-token"))

    receiver.history.post({"id": RECORD})
    receiver.history.lookup(RECORD)

    assert [receiver.header(n, "Authorization") for n in range(2)] == ["Bearer the-token"] * 2


def test_a_lookup_asks_for_the_record_by_its_id(stack: ExitStack) -> None:
    receiver = Receiver(stack, status(200), status(404))

    assert receiver.history.lookup(RECORD) == Result(outcome=Outcome.STORED, from_lookup=True)
    assert receiver.history.lookup(RECORD) is None
    assert receiver.requests[0].startswith(f"GET /history/communicationRecords/{RECORD} HTTP/1.1\r\n".encode())


def test_retry_after_is_returned(stack: ExitStack) -> None:
    receiver = Receiver(stack, status(429, "Retry-After: 7"))

    assert receiver.history.post({"id": RECORD}).retry_after == 7
    result = receiver.history.lookup(RECORD)
    assert result is not None
    assert result.retry_after == 7


def test_without_a_listener_nothing_was_sent(stack: ExitStack) -> None:
    history = new_history(stack, unused_url())

    posted, asked = history.post({"id": RECORD}), history.lookup(RECORD)

    assert (posted.outcome, posted.in_doubt) == (Outcome.UNREACHED, False)
    assert asked is not None
    assert (asked.outcome, asked.in_doubt) == (Outcome.UNREACHED, True), "the entry stays in doubt"


def test_silence_and_a_reset_leave_the_outcome_unknown(stack: ExitStack) -> None:
    released = Event()
    stack.callback(released.set)
    silent = history_at(stack, hang_until(released), http_timeout_seconds=0.05)
    resetting = history_at(stack, reset_after_request)

    for history in (silent, resetting):
        for result in (history.post({"id": RECORD}), history.lookup(RECORD)):
            assert result is not None
            assert (result.outcome, result.in_doubt) == (Outcome.UNKNOWN, True)


def test_after_a_401_a_rotated_token_is_used_at_once(stack: ExitStack, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")
    token = Secret.of_file(file)
    receiver = Receiver(stack, status(401), status(201), communication_history_token=token)
    file.write_text("new")

    assert receiver.history.post({"id": RECORD}).outcome is Outcome.STORED
    assert [receiver.header(n, "Authorization") for n in range(2)] == ["Bearer old", "Bearer new"]


def test_a_401_to_the_only_token_there_is_ends_the_call(stack: ExitStack) -> None:
    receiver = Receiver(stack, status(401), communication_history_token=Secret.of("the-token"))

    assert receiver.history.post({"id": RECORD}).outcome is Outcome.MISDEPLOYED
    assert len(receiver.requests) == 1


def test_no_error_shows_where_or_what_was_sent(stack: ExitStack) -> None:
    result = new_history(stack, unused_url()).lookup(RECORD)

    assert result is not None
    assert "127.0.0.1" not in str(result)
    assert RECORD not in str(result)
