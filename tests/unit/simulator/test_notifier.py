"""How a URL is told of conversations: what is tried again and when, and what is counted as failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import gevent
import pytest

from genesys_gateway.simulator.conversations import Addresses, Conversation, Moment
from genesys_gateway.simulator.http_connections import HttpConnections, Reply
from genesys_gateway.simulator.ledger import PlayedConversation
from genesys_gateway.simulator.notifier import Notifier, Telling, Told
from tests.doubles.stepped_clock import SteppedClock

#: Longer than the longest pause between two attempts.
LONG = 13.0


class Answers(HttpConnections):
    """Answers with the next of its statuses, the last one for ever. 0: no connection; -1: sent, and no answer."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(timeout=1)
        self.statuses = list(statuses)
        self.bodies: list[bytes] = []

    def post(self, url: str, body: bytes, headers: Mapping[str, str], sending: Callable[[], None]) -> Reply:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status == 0:
            raise ConnectionRefusedError
        sending()
        self.bodies.append(body)
        if status < 0:
            raise TimeoutError
        return Reply(status=status, body=b"")


class Stage:
    """A notifier with answers that are given."""

    def __init__(self, *statuses: int, most_waiting: int = 10) -> None:
        self.clock, self.answers = SteppedClock(), Answers(*statuses)
        self.notifier = Notifier(self.clock, self.answers, most_waiting)
        self.count = Told()

    def tell(self) -> Telling:
        conversation = Conversation(
            id="c",
            media_type="VOICE",
            direction="INBOUND",
            message_type=None,
            addresses=Addresses(),
            queue_id="q",
            started=Moment(0, 0),
        )
        played = PlayedConversation(conversation="c", began=0)
        telling = Telling(url="http://127.0.0.1/", conversation=conversation, played=played, count=self.count)
        self.notifier.tell(telling)
        return telling

    def let_pass(self, seconds: float) -> None:
        gevent.idle()
        self.clock.let_pass(seconds)
        gevent.idle()

    def numbers(self) -> tuple[int, int, int, int, int]:
        count = self.count
        return count.told, count.registered, count.failed, count.retries, count.waiting


@pytest.fixture
def stage_of() -> Iterator[Callable[..., Stage]]:
    stages: list[Stage] = []

    def make(*statuses: int, most_waiting: int = 10) -> Stage:
        stages.append(Stage(*statuses, most_waiting=most_waiting))
        return stages[-1]

    yield make
    for stage in stages:
        stage.notifier.close()


@pytest.mark.parametrize("status", [0, -1, 500, 503])
def test_what_fails_is_tried_again_with_the_same_customer(stage_of: Callable[..., Stage], status: int) -> None:
    stage = stage_of(status, status, 201)
    telling = stage.tell()

    stage.let_pass(0.2)
    assert stage.numbers() == (int(status != 0), 0, 0, 1, 1)
    stage.let_pass(LONG)
    stage.let_pass(LONG)
    assert stage.numbers() == (1, 1, 0, 2, 0)
    assert len(set(stage.answers.bodies)) == 1
    assert telling.played.status == 201
    assert telling.played.registered is not None


@pytest.mark.parametrize(
    ("status", "shown", "expected"),
    [(0, "ConnectionRefusedError", False), (-1, "TimeoutError", True), (503, 503, True)],
)
def test_what_fails_six_times_is_counted_as_failed(
    stage_of: Callable[..., Stage], status: int, shown: int | str, expected: bool
) -> None:
    stage = stage_of(status)
    telling = stage.tell()
    for _ in range(8):
        stage.let_pass(LONG)

    assert stage.numbers() == (int(status != 0), 0, 1, 5, 0)
    assert (telling.played.status, telling.played.registered) == (shown, None)
    assert telling.conversation.expected is expected


def test_the_pauses_double(stage_of: Callable[..., Stage]) -> None:
    stage = stage_of(503)
    stage.tell()
    # each pause is varied by up to a half, so that there is a least and a most at any moment
    for at, least, most in (
        (0.24, 1, 1),
        (0.76, 2, 3),
        (2.3, 3, 4),
        (5.3, 4, 5),
        (7.7, 4, 5),
        (11.3, 5, 6),
        (23.3, 6, 6),
    ):
        stage.let_pass(at - stage.clock.time)
        assert least <= len(stage.answers.bodies) <= most


@pytest.mark.parametrize("status", [302, 400, 422])
def test_what_is_refused_is_not_tried_again(stage_of: Callable[..., Stage], status: int) -> None:
    stage = stage_of(status)
    stage.tell()
    stage.let_pass(LONG)
    assert stage.numbers() == (1, 0, 1, 0, 0)
    assert len(stage.answers.bodies) == 1


def test_what_finds_the_queue_full_fails_at_once(stage_of: Callable[..., Stage]) -> None:
    stage = stage_of(200, most_waiting=3)
    tellings = [stage.tell() for _ in range(5)]
    assert stage.numbers() == (0, 0, 2, 0, 3)
    assert [telling.played.status for telling in tellings] == [None, None, None, "queue full", "queue full"]

    stage.let_pass(1)
    assert stage.numbers() == (3, 3, 2, 0, 0)
    assert [telling.conversation.expected for telling in tellings] == [True] * 3 + [False] * 2


def test_at_another_speed_of_the_clock_the_pauses_stay_real(stage_of: Callable[..., Stage]) -> None:
    stage = stage_of(503, 201)
    stage.clock.set_speed(100)
    stage.tell()
    stage.let_pass(24)  # virtual seconds; the first pause is at least 0.25 real ones
    assert len(stage.answers.bodies) == 1
    stage.let_pass(52)
    assert len(stage.answers.bodies) == 2
