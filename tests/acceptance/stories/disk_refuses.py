"""The disk is full, read-only or locked: 503 in bounded time, never 2xx without the row, then it recovers by itself.

Meanwhile the channel dies: one new channel takes its place, and the event that comes then is not lost.
"""

import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import gevent

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.http import NoAnswer
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Scale, Stage
from tests.harness.waiting import wait_for

SECONDS = 300
_ANSWER_SECONDS = 6.0
_RECOVER_SECONDS = 15.0
#: Seconds until a channel that died has a successor that covers the same conversation.
_COVER_SECONDS = 15.0


@dataclass(slots=True)
class Answers:
    """Answers to registrations while something was wrong."""

    promised: list[str] = field(default_factory=list)
    refused: int = 0
    unready: int = 0
    #: neither 2xx nor a 503 with Retry-After
    other: list[str] = field(default_factory=list)
    slowest: float = 0.0

    def register(self, gateway: Gateway) -> None:
        """Register one conversation and count the answer."""
        conversation, begun = str(uuid4()), time.monotonic()
        try:
            reply = gateway.register(conversation)
        except NoAnswer as error:
            self.other.append(str(error))
            return
        self.slowest = max(self.slowest, time.monotonic() - begun)
        if reply.status in (200, 201):
            self.promised.append(conversation)
        elif reply.status == 503 and reply.headers.get("Retry-After", "").isdigit():
            self.refused += 1
            self.unready += not gateway.ready()
        else:
            self.other.append(f"{reply.status} {reply.headers.get('Retry-After')}")


def play(stage: Stage) -> None:
    """One gateway whose database is on a file system of its own; at the small scale it is only locked."""
    small = stage.scale is Scale.SMALL
    disk = None if small else stage.small_disk("disk", 32)
    where = disk or stage.folder
    if disk is None and not small:
        stage.report.skip("disk full and read-only", "mounting needs root")
    simulator = stage.simulator()
    gateway = stage.gateway(simulator, {"DATABASE_URL": f"sqlite:///{where}/gateway.db"}).start()
    database = where / "gateway.db"
    troubles = {"locked by another process": _locked(database)}
    if disk is not None:
        troubles |= {"full": _full(where), "read-only": _read_only(where)}
    promised = [
        one for what, begin in troubles.items() for one in _while(stage, gateway, simulator, what, begin, database)
    ]
    gateway.restart_after_kill()
    missing = [one for one in promised if gateway.view(one) is None]
    stage.report.claim("every 2xx of all this is there after kill -9", not missing, f"{len(promised)} promised")
    judge.nothing_lost_nothing_doubled(stage.report, simulator)


#: Begins the trouble and returns what ends it.
Trouble = Callable[[], Callable[[], object]]


def _while(
    stage: Stage, gateway: Gateway, simulator: Simulator, what: str, trouble: Trouble, database: Path
) -> list[str]:
    session = simulator.start()
    gateway.register(session.conversation)
    simulator.until_covered([session])
    end = trouble()
    answers = Answers()
    asking = [gevent.spawn(_register_on, answers, gateway, stage.scale.of(4.0, 4.0, 2.0)) for _ in range(4)]
    wait_for(lambda: answers.refused > 0, 5)
    _channel_dies(stage, simulator, session, what)
    simulator.finish(session)  # its event arrives while the disk refuses
    gevent.joinall(asking)
    end()
    back = wait_for(gateway.ready, _RECOVER_SECONDS)
    figure = f"{answers.refused} x 503, {len(answers.promised)} x 2xx, slowest {answers.slowest:.1f} s"
    stage.report.claim(
        f"disk {what}: nothing but 503 with Retry-After and true 2xx, within {_ANSWER_SECONDS:.0f} s",
        bool(answers.refused) and not answers.other and answers.slowest < _ANSWER_SECONDS,
        figure + (f"; also {answers.other[:3]}" if answers.other else ""),
    )
    stage.report.claim(f"disk {what}: not ready while it refuses", answers.unready > 0)
    stage.report.claim(f"disk {what}: ready again by itself", back is not None, f"after {back or -1:.2f} s")
    after = gateway.register(str(uuid4())).status
    stored = wait_for(lambda: bool(simulator.balance()["clean"]) and simulator.balance()["storedOnce"] > 0, 30)
    held = after == 201 and stored is not None
    stage.report.claim(f"disk {what}: the event that came meanwhile is delivered", held, f"after {stored or -1:.1f} s")
    known = wait_for(lambda: simulator.connected() <= _channels_in(database), 10)
    stage.report.claim(f"disk {what}: the channel made meanwhile is in the database afterwards", known is not None)
    return answers.promised


def _channel_dies(stage: Stage, simulator: Simulator, session: AgentSession, what: str) -> None:
    """Genesys ends the channel while the disk refuses: its socket is closed, and its id is unknown from then on."""
    before = len(judge.creations(simulator.ledger("calls")))
    simulator.fault("evict")
    again = simulator.wait_covered([session], _COVER_SECONDS)
    made = len(judge.creations(simulator.ledger("calls"))) - before
    stage.report.claim(
        f"disk {what}: a channel that dies meanwhile is replaced by one",
        again is not None and made == 1,
        f"covered again after {again or -1:.1f} s, {made} made",
    )


def _channels_in(database: Path) -> set[str]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return {row[0] for row in connection.execute("SELECT id FROM channel")}


def _register_on(answers: Answers, gateway: Gateway, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answers.register(gateway)
        gevent.sleep(0.02)


def _locked(database: Path) -> Trouble:
    def begin() -> Callable[[], object]:
        connection = sqlite3.connect(database, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        return connection.close

    return begin


def _full(where: Path) -> Trouble:
    def begin() -> Callable[[], object]:
        filler = where / "filler"
        with filler.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    continue
        return filler.unlink

    return begin


def _read_only(where: Path) -> Trouble:
    def begin() -> Callable[[], object]:
        # Mode bits restrict neither root nor an open file; this attribute restricts both.
        files = [str(where / name) for name in ("gateway.db", "gateway.db-wal") if (where / name).exists()]
        subprocess.run(["chattr", "+i", *files], check=True)
        return lambda: subprocess.run(["chattr", "-i", *files], check=True)

    return begin
