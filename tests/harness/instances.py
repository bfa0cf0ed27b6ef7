"""Several instances of the gateway on one PostgreSQL database, and BOFE, which knows the address of each.

Invariant: an instance has a folder, a port and OAuth credentials of its own; only the database is shared.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count

import gevent
from gevent.pool import Pool

from tests.harness import databases
from tests.harness.gateway import Gateway
from tests.harness.http import NoAnswer
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Stage

#: Counters that are summed over all processes of an instance, those that have ended included.
COUNTERS = ("deliveries_ambiguous_total", "reconcile_recovered_events_total")
_SAMPLE_SECONDS = 1.0


class Instance:
    """One instance: its gateway, how it is broken, and what its counters reached."""

    def __init__(self, gateway: Gateway, number: int) -> None:
        self.gateway = gateway
        self.number = number
        #: counters of processes that have ended, and of the present one as last read
        self._before: Counter[str] = Counter()
        self._now: Counter[str] = Counter()
        self._sampling = gevent.spawn(self._sample)

    def counted(self, name: str) -> int:
        """One of the counters, over all its processes as far as it could be read."""
        return self._before[name] + self._now[name]

    def read_counters(self) -> None:
        """Read the counters now; what does not answer keeps its latest ones."""
        for name in COUNTERS:
            try:
                value = round(self.gateway.metric(name))
            except NoAnswer:
                continue
            if value < self._now[name]:  # another process counts from 0
                self._before[name] += self._now[name]
            self._now[name] = value

    def kill(self) -> int:
        """Kill master and worker; returns when, in epoch milliseconds."""
        self.read_counters()
        killed = _now()
        self.gateway.kill()
        self.ended()
        return killed

    def stop(self) -> int:
        """End it by SIGTERM; returns its exit code."""
        self.read_counters()
        try:
            return self.gateway.stop()
        finally:
            self.ended()

    def pause(self) -> int:
        """Stop all its processes, whose connections stay open; returns when."""
        self.read_counters()
        os.killpg(self.gateway.process.pid, signal.SIGSTOP)
        return _now()

    def go_on(self) -> int:
        """Continue its processes; returns when."""
        os.killpg(self.gateway.process.pid, signal.SIGCONT)
        return _now()

    def close(self) -> None:
        """Read its counters no longer."""
        self._sampling.kill()

    def ended(self) -> None:
        """Its process has ended: the next one counts from 0."""
        self._before, self._now = self._before + self._now, Counter()

    def _sample(self) -> None:
        while True:
            gevent.sleep(_SAMPLE_SECONDS)
            if self.gateway.running:
                self.read_counters()


class Instances:
    """All instances of one story.

    Args:
        urls: The DATABASE_URL of each.
        settings: Settings of all that differ from the defaults.
        own: Settings of each beside those.
        folder: Beginning of the names of their folders.
    """

    def __init__(
        self,
        stage: Stage,
        simulator: Simulator,
        urls: Sequence[str],
        settings: Mapping[str, object] | None = None,
        own: Sequence[Mapping[str, object]] = (),
        *,
        folder: str = "instance",
    ) -> None:
        self.simulator = simulator
        self.all: list[Instance] = []
        #: final answers to BOFE, by status; ``-``: no answer
        self.answers: Counter[str] = Counter()
        #: answers after which BOFE turned to another instance
        self.repeated: Counter[str] = Counter()
        self._turn = count()
        for number, url in enumerate(urls):
            different = own[number] if own else {}
            given = {"DATABASE_URL": url, **(settings or {}), **different}
            gateway = stage.gateway(simulator, given, name=f"{folder}-{number + 1}")
            self.all.append(Instance(gateway, number))
            stage.at_the_end(self.all[-1].close)

    def __getitem__(self, number: int) -> Instance:
        return self.all[number % len(self.all)]

    def __iter__(self) -> Iterator[Instance]:
        return iter(self.all)

    def start(self) -> "Instances":
        """Start one after the other."""
        for instance in self.all:
            instance.gateway.start()
        return self

    def counted(self, name: str) -> int:
        """One of the counters, over all instances and all their processes."""
        return sum(instance.counted(name) for instance in self.all)

    # BOFE

    def register(self, conversation: str, at: int | None = None) -> bool:
        """Register at the next instance in turn, or at the given one; after 503 or no answer once at the following one.

        Returns:
            Whether it was taken.
        """
        first = next(self._turn) if at is None else at
        answer = self.ask(conversation, first)
        if answer in ("503", "-"):
            self.repeated[answer] += 1
            answer = self.ask(conversation, first + 1)
        self.answers[answer] += 1
        return answer in ("200", "201")

    def ask(self, conversation: str, number: int, customer: str | None = None) -> str:
        """Register once, at that instance; returns the status, or ``-`` without an answer."""
        try:
            return str(self[number].gateway.register(conversation, customer).status)
        except NoAnswer:
            return "-"

    def register_all(self, sessions: Iterable[AgentSession], clients: int = 32, at: int | None = None) -> None:
        """Register the conversations through that many clients. Raises RuntimeError if one is not taken."""
        taken = Pool(clients).map(lambda session: self.register(session.conversation, at), list(sessions))
        if not all(taken):
            raise RuntimeError(f"registrations answered with {dict(self.answers)}")


def on_one_database(
    stage: Stage,
    simulator: Simulator,
    number: int,
    settings: Mapping[str, object] | None = None,
    own: Sequence[Mapping[str, object]] = (),
    *,
    folder: str = "instance",
) -> Instances | None:
    """Prepare that many instances on a new database of the usual server; None if there is no server."""
    name = stage.database()
    if name is None:
        stage.report.skip("several instances on PostgreSQL", "no PostgreSQL at 127.0.0.1:5432")
        return None
    return Instances(stage, simulator, [databases.url(name)] * number, settings, own, folder=folder)


def _now() -> int:
    return round(time.time() * 1000)
