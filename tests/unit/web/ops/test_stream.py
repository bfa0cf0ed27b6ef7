"""Is each look rendered once, sent only where it changed something, and does every stream end?"""

import re
from dataclasses import replace

import gevent
import orjson
import pytest

from genesys_gateway.runtime.greenlets import pause
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.settings import Settings
from genesys_gateway.web.ops.overview import SECTIONS, Overview
from genesys_gateway.web.ops.stream import STREAMS, Stream
from genesys_gateway.web.ops.words import moment
from tests.doubles.operated import NOW, ShownWatch, a_busy_hour, a_status
from tests.doubles.runtime import FakeClock
from tests.doubles.web import ENVIRON, FakeGateway


@pytest.fixture
def watch() -> ShownWatch:
    return ShownWatch()


@pytest.fixture
def overview() -> Overview:
    return Overview(Settings.from_environment(ENVIRON), FakeGateway().hour)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def stream(watch: ShownWatch, overview: Overview, clock: FakeClock, metrics: Metrics) -> Stream:
    return Stream(watch, overview, clock, metrics.ops_streams)


def sections_of(event: bytes) -> dict[str, str]:
    head, _, rest = event.partition(b"\ndata: ")
    assert head == b"event: look"
    assert rest.endswith(b"\n\n")
    found: dict[str, str] = orjson.loads(rest)
    return found


def test_the_page_shows_no_figures_that_were_never_read(overview: Overview) -> None:
    html = overview.of(replace(a_status("disk_refuses"), known=False)).html

    assert "The promise can't be checked now." in html["promise"]
    assert "accepted" not in html["promise"]
    assert html["figures"].count("<dd>—</dd>") == 4


def test_the_page_says_that_all_is_well_only_when_that_was_read(overview: Overview) -> None:
    html = overview.of(replace(a_status(), known=False)).html

    assert "Nothing is known yet" in html["promise"]
    assert "No trouble" not in html["promise"]
    assert "Nothing needs you now." not in html["troubles"]

    read = overview.of(replace(a_status(), looked_at=a_status().looked_at + 1)).html
    assert "No trouble" in read["promise"]
    assert "Nothing needs you now." in read["troubles"]


def test_without_a_channel_the_page_does_not_deny_the_followed_conversations(overview: Overview) -> None:
    status = replace(a_status("no_token"), channels=())
    promise = replace(status.promise, followed=0)

    assert "no channel now, though 4,112 conversations are followed." in overview.of(status).html["channels"]
    nobody = replace(status, promise=promise, looked_at=status.looked_at + 1)
    assert "No channel yet. One is made as soon as" in overview.of(nobody).html["channels"]
    unknown = replace(status, known=False, looked_at=status.looked_at + 2)
    assert "nothing was read from the database" in overview.of(unknown).html["channels"]


def test_the_heading_of_the_charts_says_how_far_back_they_go(overview: Overview, metrics: Metrics) -> None:
    settings = Settings.from_environment(ENVIRON)
    whole = Overview(settings, a_busy_hour(metrics)).of(a_status()).html["hour"]

    assert "The last hour</h2>" in whole
    assert f">{settings.api_rate_per_minute}</text>" in whole
    young = overview.of(a_status()).html["hour"]
    assert "The last 5 minutes</h2>" in young
    assert "the last hour" not in young


def test_troubles_stand_out_of_a_kept_promise(overview: Overview) -> None:
    status = a_status("no_token", "receiver_down")

    assert re.search('class="badge">.*2 troubles</span>', overview.of(status).html["promise"])
    calm = overview.of(replace(status, troubles=(), looked_at=status.looked_at + 1)).html["promise"]
    assert "badge" not in calm
    assert "No trouble" in calm


def test_old_figures_are_shown_with_the_time_when_they_were_read(overview: Overview) -> None:
    html = overview.of(replace(a_status("disk_refuses"), looked_at=NOW + 60_000)).html

    assert "The promise can't be checked now." in html["promise"]
    assert f"As read {moment(NOW, NOW + 60_000)}: " in html["promise"]
    assert "19,420" in html["promise"]


def test_others_run_while_an_hour_is_drawn_and_who_comes_meanwhile_gets_the_same() -> None:
    overview = Overview(Settings.from_environment(ENVIRON), a_busy_hour(Metrics()))
    drawing = [gevent.spawn(overview.of, a_status("receiver_down")) for _ in range(3)]

    turns = 0
    while not all(one.ready() for one in drawing):
        turns += 1
        pause()

    assert turns > 5, "at least between the charts"
    assert {id(one.get()) for one in drawing} == {id(drawing[0].get())}


def test_an_older_status_than_the_one_shown_is_not_drawn(overview: Overview) -> None:
    latest = overview.of(a_status())

    assert overview.of(replace(a_status(), looked_at=NOW - 1)) is latest


def test_the_first_event_has_every_section_and_the_next_one_what_changed(stream: Stream, watch: ShownWatch) -> None:
    events = stream.events(watch.status())
    assert next(events) == b"retry: 1000\n\n"
    assert list(sections_of(next(events))) == list(SECTIONS)

    watch.show(replace(watch.latest, backlog=77))
    changed = sections_of(next(events))
    assert "77" in changed["figures"]
    assert "hour" not in changed
    assert "troubles" not in changed


def test_all_who_have_seen_the_same_get_the_same_bytes(stream: Stream, watch: ShownWatch) -> None:
    first, second = (stream.events(watch.status()) for _ in range(2))
    assert next(first) == next(second)
    assert next(first) is next(second)
    watch.show(a_status("no_token"))
    assert next(first) is next(second)


def test_a_status_is_rendered_once(overview: Overview) -> None:
    status = a_status()
    assert overview.of(status) is overview.of(status)


def test_a_stream_ends_after_a_while(stream: Stream, watch: ShownWatch, clock: FakeClock) -> None:
    events = stream.events(watch.status())
    next(events)
    next(events)
    clock.advance(25)
    assert list(events) == []


def test_a_stream_ends_when_the_process_drains(stream: Stream, watch: ShownWatch) -> None:
    events = stream.events(watch.status())
    next(events)
    next(events)
    watch.draining = True
    assert list(events) == []


def test_there_are_fifty_at_a_time_which_are_counted(stream: Stream, metrics: Metrics) -> None:
    places = [stream.begin() for _ in range(STREAMS)]
    assert all(places)
    assert b"genesys_gateway_ops_streams 50.0" in metrics.render()
    assert stream.begin() is None

    give_back = places[0]
    assert give_back is not None
    give_back()
    give_back()
    assert stream.open == STREAMS - 1
    assert stream.begin() is not None
    assert stream.begin() is None
