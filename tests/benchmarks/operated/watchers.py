"""Those who watch: operators with dashboards, a Prometheus that scrapes, and a probe that asks for ``/livez``.

Invariant: each keeps its pace whatever the gateway does, and notes how long every answer took.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle

import gevent
import orjson
from gevent.pool import Group

from tests.benchmarks.operated.browser import JSON, PAGE, Browser
from tests.benchmarks.operated.figures import Sample
from tests.harness.gateway import OPS_TOKEN, Gateway
from tests.harness.http import JsonClient, NoAnswer

PROBE, SCRAPE = "/livez", "/metrics"
_PROBE_SECONDS, _SCRAPE_SECONDS = 0.05, 5.0
#: Mean time that an operator looks at a page.
_READ_SECONDS = 1.0
#: Time until a browser opens the stream again.
_RECONNECT_SECONDS = 1.0
_STREAM = "/ops/stream"

#: What operators open in turn. ``{conversation}`` and ``{record}`` are ids that the lists before have shown,
#: ``{beginning}`` is the beginning of one.
ADDRESSES = (
    ("/ops/", PAGE),
    ("/ops/api/status", JSON),
    ("/ops/conversations", PAGE),
    ("/ops/api/conversations?limit=100", JSON),
    ("/ops/api/conversations?state=subscribed", JSON),
    ("/ops/api/conversations?q={beginning}", JSON),
    ("/ops/conversations/{conversation}", PAGE),
    ("/ops/api/conversations/{conversation}", JSON),
    ("/ops/api/channels", JSON),
    ("/ops/records", PAGE),
    ("/ops/api/records", JSON),
    ("/ops/api/records?state=pending", JSON),
    ("/ops/records/{record}", PAGE),
    ("/ops/api/records/{record}", JSON),
    ("/ops/dead-letters", PAGE),
    ("/ops/runbook", PAGE),
)


@dataclass(slots=True)
class Notes:
    """What the watchers have noted since :meth:`begin`."""

    samples: list[Sample] = field(default_factory=list)
    #: the answers to the scrapes, in order
    scrapes: list[str] = field(default_factory=list)
    #: events of the live streams; streams that ended by themselves, and that failed
    streams: Counter[str] = field(default_factory=Counter)
    #: longest time between two events of one stream, reconnecting included
    silence: float = 0.0
    #: unexpected answers, by what was asked and what came
    unexpected: Counter[str] = field(default_factory=Counter)

    def note(self, what: str, status: int | str, seconds: float) -> None:
        """Note one answer."""
        self.samples.append(Sample(what=what, seconds=seconds, good=status == 200))
        if status != 200:
            self.unexpected[f"{what}: {status}"] += 1


class Operator:
    """One operator: an open dashboard, whose stream is followed, and pages read in turn.

    Args:
        number: Where in the addresses this operator begins, so that all are asked for at the same time.
    """

    def __init__(self, gateway: Gateway, notes: Notes, number: int) -> None:
        self._notes = notes
        self._browser = Browser(gateway.url)
        self._ids = {"conversation": "", "record": "", "beginning": ""}
        self._chance = random.Random(number)
        self._addresses = cycle(ADDRESSES[number % len(ADDRESSES) :] + ADDRESSES[: number % len(ADDRESSES)])

    def open(self) -> None:
        """Log in, open the dashboard with its scripts and styles, and learn some ids."""
        self._browser.log_in(OPS_TOKEN)
        _, page, _ = self._browser.get("/ops/", PAGE)
        for asset in self._browser.assets(page):
            self._read("static files", asset, "*/*")
        for path in ("/ops/api/conversations?limit=100", "/ops/api/records"):
            self._learn(path, self._read(path, path, JSON))

    def read_on(self) -> None:
        """Read one address after the other; returns never."""
        while True:
            gevent.sleep(_READ_SECONDS * self._chance.uniform(0.8, 1.2))
            what, accept = next(self._addresses)
            path = what.format(**self._ids)
            if "{" in what and path.endswith(("/", "=")):
                continue  # there was nothing in the list yet
            self._learn(path, self._read(what, path, accept))

    def follow(self) -> None:
        """Follow the live stream, and open it again whenever it ends; returns never."""
        before = time.monotonic()
        while True:
            try:
                for _ in self._browser.follow(_STREAM):
                    self._notes.streams["events"] += 1
                    self._notes.silence = max(self._notes.silence, time.monotonic() - before)
                    before = time.monotonic()
                self._notes.streams["ended"] += 1
            except (NoAnswer, RuntimeError) as error:
                self._notes.streams["failed"] += 1
                self._notes.unexpected[f"{_STREAM}: {error}"] += 1
            gevent.sleep(_RECONNECT_SECONDS)

    def close(self) -> None:
        """Close the browser."""
        self._browser.close()

    def _read(self, what: str, path: str, accept: str) -> bytes:
        begun = time.perf_counter()
        try:
            status, body, seconds = self._browser.get(path, accept)
        except NoAnswer as error:
            self._notes.note(what, str(error), time.perf_counter() - begun)
            return b""
        self._notes.note(what, status, seconds)
        return body if status == 200 else b""

    def _learn(self, path: str, body: bytes) -> None:
        """Take an id of the list, for the addresses that need one."""
        if not body or not path.startswith("/ops/api/") or not isinstance(found := orjson.loads(body), dict):
            return
        items = found.get("items") or [{}]
        item = self._chance.choice(items)
        if "interactionId" in item and "outcome" in item:
            self._ids["conversation"], self._ids["beginning"] = item["interactionId"], item["interactionId"][:6]
        elif "source" in item:
            self._ids["record"] = item["id"]


@contextmanager
def watching(gateway: Gateway, notes: Notes) -> Iterator[None]:
    """Within the block a probe and a Prometheus ask."""
    client = JsonClient(gateway.url)

    def probe() -> None:
        _ask(client, PROBE, notes)

    def scrape() -> None:
        notes.scrapes.append(_ask(client, SCRAPE, notes))

    scrape()
    group = Group()
    group.spawn(_every, _PROBE_SECONDS, probe)
    group.spawn(_every, _SCRAPE_SECONDS, scrape)
    try:
        yield
    finally:
        group.kill()
        scrape()
        client.close()


@contextmanager
def operating(gateway: Gateway, notes: Notes, number: int) -> Iterator[None]:
    """Within the block that many operators have a dashboard open and read. Raises RuntimeError if one can't log in."""
    operators = [Operator(gateway, notes, each) for each in range(number)]
    for operator in operators:
        operator.open()
    group = Group()
    for operator in operators:
        group.spawn(operator.follow)
        group.spawn(operator.read_on)
    try:
        yield
    finally:
        group.kill()
        for operator in operators:
            operator.close()


def _every(seconds: float, action: Callable[[], None]) -> None:
    """Do it at that pace; what takes longer is not waited for."""
    due, running = time.monotonic(), Group()
    try:
        while True:
            running.spawn(action)
            due += seconds
            gevent.sleep(max(0.0, due - time.monotonic()))
    finally:
        running.kill()


def _ask(client: JsonClient, path: str, notes: Notes) -> str:
    begun = time.perf_counter()
    try:
        reply = client.request("GET", path)
    except NoAnswer as error:
        notes.note(path, str(error), time.perf_counter() - begun)
        return ""
    notes.note(path, reply.status, time.perf_counter() - begun)
    return reply.body.decode()
