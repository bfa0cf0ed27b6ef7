"""The watch looks at intervals, answers at once whatever the database does, and tells each change once."""

from collections.abc import Callable, Iterator
from typing import Any, cast, get_args

import gevent
import pytest
from gevent.event import Event
from structlog.testing import capture_logs

from genesys_gateway.domain.after_call_work import Unreadable
from genesys_gateway.oversight.finding import Code, Finding
from genesys_gateway.oversight.status import ChannelStatus, Status
from genesys_gateway.oversight.watch import PATIENCE_SECONDS, Watch
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.runtime.metrics import Metrics, words
from genesys_gateway.storage.statements import intake
from tests.doubles.runtime import FakeClock, runtime, until
from tests.doubles.stepped_tasks import SteppedTaskGroup
from tests.doubles.storage_in_memory import OWNER, StorageInMemory
from tests.doubles.stored_rows import CONVERSATION, dead_row, put_entries, put_frame

CHANNEL = ChannelStatus(
    id="c", owner=OWNER, state="open", topics=3, limit=1000, connected=True, expires_at=9, last_frame_at=8
)


TROUBLE = "genesys_gateway_trouble"


class Watched:
    """A watch over a storage in memory, with findings that a test sets.

    Args:
        patience_seconds: Real seconds; a loaded machine may take more than one for a look.
    """

    def __init__(self, patience_seconds: float = 30.0) -> None:
        self.metrics = Metrics()
        self.clock = FakeClock()
        self.storage = StorageInMemory(self.clock)
        self.own: list[Finding] = []
        self.watch = Watch(
            self.storage,
            runtime(self.clock, [], metrics=self.metrics),
            identity=Identity(OWNER),
            own=lambda: list(self.own),
            channels=lambda: [CHANNEL],
            shared=False,
            lease_seconds=20.0,
            patience_seconds=patience_seconds,
        )
        self.watch.opened()

    def look(self, seconds: float = 1.5) -> Status:
        """The status after so many seconds."""
        self.clock.advance(seconds)
        return self.watch.status()

    def find(self, code: Code, **facts: int | str) -> None:
        self.own.append(Finding(code=code, since=self.clock.now(), facts=facts))

    def close(self) -> None:
        self.watch.stop(1.0)
        self.storage.close()


@pytest.fixture
def watched() -> Iterator[Watched]:
    made = Watched()
    yield made
    made.close()


def codes(status: Status) -> list[str]:
    return [one.code for one in status.troubles]


def test_a_gateway_without_trouble_shows_its_figures_and_channels(watched: Watched) -> None:
    watched.storage.register("a", "b")
    watched.storage.cover("a", "b")

    status = watched.look()

    assert status.promise.kept
    assert (status.promise.accepted, status.promise.followed, status.promise.closed) == (2, 2, 0)
    assert (status.uncovered, status.released, status.backlog, status.dead) == (0, 0, 0, 0)
    assert status.channels == (CHANNEL,)
    assert status.troubles == ()


def test_the_metrics_show_the_troubles_of_the_latest_look(watched: Watched) -> None:
    watched.find("receiver_down", error="timeout")

    watched.look()

    shown = {code: watched.metrics.registry.get_sample_value(TROUBLE, {"code": code}) for code in words.TROUBLES}
    assert [code for code, value in shown.items() if value] == ["receiver_down"]


def test_the_metrics_name_every_code() -> None:
    assert sorted(words.TROUBLES) == sorted(get_args(Code))


def test_the_first_who_asks_waits_for_the_first_look(watched: Watched) -> None:
    assert watched.watch.status().at >= watched.clock.now()


def test_an_answer_of_this_second_is_given_again(watched: Watched) -> None:
    first = watched.look()
    jobs = watched.storage.jobs

    assert watched.look(0.5) is first
    assert watched.storage.jobs == jobs
    assert watched.look(0.6) is not first


def test_all_who_ask_at_once_wait_for_one_look(watched: Watched) -> None:
    asking = [gevent.spawn(watched.watch.status) for _ in range(20)]

    assert len({one.get(timeout=30).looked_at for one in asking}) == 1
    assert watched.storage.jobs == 1


def test_what_this_instance_finds_is_a_trouble_until_it_finds_it_no_longer(watched: Watched) -> None:
    watched.find("receiver_down", error="timeout")
    began = watched.clock.now()

    status = watched.look()

    assert codes(status) == ["receiver_down"]
    assert status.troubles[0].since == began
    assert "timeout" in status.troubles[0].text
    watched.own.clear()
    assert codes(watched.look()) == []


def test_a_trouble_that_lasts_keeps_its_beginning_whatever_its_parts_do(watched: Watched) -> None:
    watched.find("frames_set_aside")
    first = watched.look().troubles[0].since
    watched.own.clear()
    watched.find("frames_set_aside")

    assert watched.look().troubles[0].since == first


def test_the_log_tells_the_beginning_and_the_end_once(watched: Watched) -> None:
    with capture_logs() as lines:
        watched.find("no_token", error="HTTP 503")
        for _ in range(3):
            watched.look()
        watched.own.clear()
        for _ in range(3):
            watched.look()

    told = [line for line in lines if line["event"].startswith("trouble_")]
    assert [(line["event"], line["log_level"], line["code"]) for line in told] == [
        ("trouble_began", "warning", "no_token"),
        ("trouble_ended", "info", "no_token"),
    ]
    assert "HTTP 503" in told[0]["text"]
    assert told[1]["seconds"] == 6.0


def test_dead_records_are_a_trouble_with_their_number_and_commonest_error(watched: Watched) -> None:
    rows = [dead_row(f"r{n}", CONVERSATION, last_error="HTTP 422" if n else "HTTP 400") for n in range(3)]
    watched.storage.uncounted(lambda c: put_entries(c, *rows))

    status = watched.look()

    assert (codes(status), status.dead) == (["records_dead"], 3)
    assert status.troubles[0].text == "3 records were given up, most often because of HTTP 422."


def test_frames_set_aside_are_a_trouble_for_an_hour(watched: Watched) -> None:
    watched.storage.uncounted(lambda c: put_frame(c, "{}", at=watched.clock.now()))

    assert codes(watched.look()) == ["frames_set_aside"]
    assert codes(watched.look(3590)) == ["frames_set_aside"]
    assert codes(watched.look(20)) == []


def test_what_is_registered_and_covered_soon_is_no_trouble(watched: Watched) -> None:
    watched.storage.register("a")
    for _ in range(3):
        assert codes(watched.look(1.1)) == []
    watched.storage.cover("a")
    assert codes(watched.look(1.1)) == []


def test_what_nothing_covers_is_a_trouble_within_ten_seconds_and_none_once_it_is_covered(watched: Watched) -> None:
    watched.storage.register("a")
    began = watched.clock.now()

    shown = [codes(watched.look(1.1)) for _ in range(8)]

    assert shown[-1] == ["uncovered"]
    assert shown[:4] == [[]] * 4
    assert watched.watch.status().troubles[0].since == began
    watched.storage.cover("a")
    assert codes(watched.look()) == []


def test_what_waits_for_a_place_is_not_called_uncovered(watched: Watched) -> None:
    watched.storage.register("a", "b")
    watched.find("channels_full", waiting=2, lasting=2)

    assert [codes(watched.look()) for _ in range(8)] == [["channels_full"]] * 8


def test_only_what_does_not_wait_for_a_place_is_counted_as_uncovered(watched: Watched) -> None:
    watched.storage.register("a", "b", "c")
    watched.find("channels_full", waiting=2, lasting=2)

    status = [watched.look() for _ in range(8)][-1]

    assert sorted(codes(status)) == ["channels_full", "uncovered"]
    assert next(one for one in status.troubles if one.code == "uncovered").text.startswith(
        "No open socket covers 1 of 3"
    )


def test_what_just_came_and_waits_hides_no_gap(watched: Watched) -> None:
    watched.storage.register("a")
    watched.find("channels_full", waiting=2, lasting=0)

    status = [watched.look() for _ in range(8)][-1]

    assert sorted(codes(status)) == ["channels_full", "uncovered"]


def test_a_lost_conversation_breaks_the_promise(watched: Watched) -> None:
    watched.storage.register("a")
    watched.storage.uncounted(lambda c: c.exec_driver_sql("DELETE FROM conversation").close())

    status = watched.look()

    assert not status.promise.kept
    assert codes(status) == ["unaccounted"]


def test_an_unresolved_conversation_is_a_trouble_until_it_is_logged(watched: Watched) -> None:
    watched.storage.register("a")
    watched.storage.change("a", state="closed", outcome="unresolved", closed_at=watched.clock.now())
    assert codes(watched.look()) == ["unresolved"]

    watched.storage.change("a", outcome="logged")
    assert codes(watched.look()) == []

    watched.storage.change("a", outcome="unresolved", erased_at=watched.clock.now())
    assert codes(watched.look()) == []


def test_while_the_database_refuses_the_last_figures_stay_and_that_is_told(watched: Watched) -> None:
    watched.storage.register("a")
    watched.storage.uncounted(lambda c: put_entries(c, dead_row("r", CONVERSATION)))
    assert codes(watched.look()) == ["records_dead"]
    watched.find("receiver_down")
    watched.storage.refuse(2)

    status = watched.look()

    assert sorted(codes(status)) == ["disk_refuses", "receiver_down", "records_dead"]
    assert "the disk is full" in next(one for one in status.troubles if one.code == "disk_refuses").text
    assert (status.promise.accepted, status.dead, status.channels) == (1, 1, (CHANNEL,))
    assert status.looked_at - status.at == 1500, "the figures are shown as of when they were read"
    watched.look()
    assert sorted(codes(watched.look())) == ["receiver_down", "records_dead"]


def test_a_receiver_that_was_well_again_is_not_told_when_the_database_refuses(watched: Watched) -> None:
    watched.find("receiver_down", failed_at=watched.clock.now())
    assert codes(watched.look()) == [], "nothing waits for the receiver"
    watched.storage.refuse(1)

    assert codes(watched.look()) == ["disk_refuses"]


def test_figures_that_were_never_read_are_invented_in_no_sentence(watched: Watched) -> None:
    watched.storage.refuse(1)
    watched.find("no_token", error="HTTP 503")

    status = watched.look()

    assert not status.known
    told = next(one for one in status.troubles if one.code == "no_token")
    assert "about an unknown number of followed conversations" in told.text


def test_an_error_that_nobody_foresaw_is_logged_and_the_last_answer_stays(watched: Watched) -> None:
    before = watched.look()
    watched.own.append(cast(Finding, None))

    with capture_logs() as lines:
        assert watched.look() is before
    assert [(one["event"], one["log_level"], one["error"]) for one in lines] == [
        ("look_failed", "error", "AttributeError")
    ]

    watched.own.clear()
    assert watched.look() is not before


def test_a_number_of_waiting_ones_that_is_none_counts_for_nothing(watched: Watched) -> None:
    watched.storage.register("a")
    watched.find("channels_full", waiting=1, lasting="many")

    status = [watched.look() for _ in range(8)][-1]

    assert sorted(codes(status)) == ["channels_full", "uncovered"]


def test_before_the_database_is_open_nothing_is_said_of_it_unless_the_opening_failed() -> None:
    watched = Watched()
    starting = Watch(
        watched.storage,
        runtime(watched.clock, []),
        identity=Identity(OWNER),
        own=list,
        channels=list,
        shared=False,
        lease_seconds=20.0,
        patience_seconds=30.0,
    )

    assert codes(starting.status()) == []
    assert not starting.status().known
    starting.not_opened()
    watched.clock.advance(2)
    assert codes(starting.status()) == ["disk_refuses"]
    assert not starting.status().known
    starting.opened()
    assert codes(starting.status()) == []
    assert starting.status().known
    starting.stop(1.0)
    watched.close()


def test_a_database_that_hangs_delays_no_answer_for_long() -> None:
    watched = Watched(patience_seconds=PATIENCE_SECONDS)
    first = watched.look()
    release = Event()
    watched.storage.after_commit = release.wait
    watched.clock.advance(5)

    with gevent.Timeout(10, AssertionError("the answer was delayed")):
        assert watched.watch.status() is first

    release.set()
    until(lambda: watched.watch.status().looked_at > first.looked_at)
    watched.close()


def test_the_loop_looks_every_two_seconds_and_sooner_while_something_is_kept_back(watched: Watched) -> None:
    tasks = SteppedTaskGroup(watched.clock)
    tasks.spawn("watch", watched.watch.run, tasks)
    tasks.step()
    watched.storage.register("a")
    for _ in range(5):
        tasks.step()
    tasks.end()

    assert tasks.waits[0] == 2.0
    assert 1.0 in tasks.waits
    assert watched.storage.jobs >= 5


def test_who_waits_is_told_of_the_next_look_and_not_of_an_older_one(watched: Watched) -> None:
    first = watched.look()
    waiting = gevent.spawn(watched.watch.wait, first.looked_at, 30.0)
    gevent.sleep(0)
    assert not waiting.ready()

    second = watched.look()

    assert waiting.get(timeout=30) is second
    assert watched.watch.wait(first.looked_at, 30.0) is second
    assert watched.watch.wait(second.looked_at, 0.0) is None


@pytest.mark.parametrize("end", [lambda watch: watch.drain(), lambda watch: watch.stop(1.0)])
def test_a_drain_and_a_stop_end_all_waits(watched: Watched, end: Callable[[Watch], Any]) -> None:
    at = watched.look().looked_at
    waiting = [gevent.spawn(watched.watch.wait, at, 600.0) for _ in range(3)]
    gevent.sleep(0)

    end(watched.watch)

    assert [one.get(timeout=30) for one in waiting] == [None] * 3
    assert watched.watch.draining
    assert watched.watch.wait(at, 600.0) is None
    assert watched.watch.status().looked_at >= at


def test_frames_are_counted_with_their_commonest_reason(watched: Watched) -> None:
    def job(connection: Any) -> None:
        for reason in ("not_json", "no_identity", "no_identity"):
            intake.set_aside(connection, unreadable(reason), b"{}", watched.clock.now())

    watched.storage.uncounted(job)

    assert watched.look().troubles[0].text == (
        "3 frames were set aside in the last hour, most often because of no_identity."
    )


def unreadable(reason: str) -> Unreadable:
    return Unreadable(reason=reason, conversation_id=None)
