"""`python -m tests.chaos.syscalls`: the n-th write or fsync of SQLite fails, by `strace -e inject`.

Invariant: only system calls on the files of the database fail; otherwise the process is as in production.
"""
# ruff: noqa: E402 - nothing may be imported before the patching

from gevent import monkey

monkey.patch_all()

import argparse
import shutil
import sys
from dataclasses import dataclass

import gevent
from gevent.pool import Pool

from tests.harness import judge
from tests.harness.gateway import Gateway
from tests.harness.http import NoAnswer
from tests.harness.report import Report, heading
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Scale, Stage
from tests.harness.waiting import wait_for

_CALLS = 12
_HEAL_SECONDS = 40.0
_SYNCS, _WRITES = "fsync,fdatasync", "pwrite64"
_SETTINGS = {"GENESYS_GRANT_TYPE": "client-credentials", "GATEWAY_RETRY_BASE_SECONDS": 0.3, "GATEWAY_QUIET_SECONDS": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """What the kernel does, in the syntax of strace."""

    what: str
    calls: str
    effect: str
    #: the numbers of the calls of a thread: ``7`` or ``7..12``
    when: str
    #: whether it kills the process
    deadly: bool = False


INJECTIONS = (
    Injection(what="fsync says EIO", calls=_SYNCS, effect="error=EIO", when="6..9"),
    Injection(what="fsync says EIO once", calls=_SYNCS, effect="error=EIO", when="8"),
    Injection(what="a write says EIO", calls=_WRITES, effect="error=EIO", when="25..40"),
    Injection(what="a write says ENOSPC", calls=_WRITES, effect="error=ENOSPC", when="25..60"),
    Injection(what="killed in an early write", calls=_WRITES, effect="signal=KILL", when="12", deadly=True),
    Injection(what="killed in a late write", calls=_WRITES, effect="signal=KILL", when="61", deadly=True),
    Injection(what="killed in fsync", calls=_SYNCS, effect="signal=KILL", when="7", deadly=True),
)


def main() -> int:
    """Return 0 if every promise was kept, 1 if not, 2 without strace."""
    argparse.ArgumentParser(prog="python -m tests.chaos.syscalls", description=__doc__).parse_args()
    heading("The kernel fails SQLite")
    report = Report("syscalls")
    if shutil.which("strace") is None:
        report.skip("failing system calls", "strace is not installed")
        return 2
    for injection in INJECTIONS:
        _play(report, injection)
    return 0 if report.end() else 1


def _play(report: Report, injection: Injection) -> None:
    stage = Stage(report, Scale.FAST)
    held = False
    try:
        simulator = stage.simulator({"analyticsLagSeconds": 0.5})
        settings = _SETTINGS | {"DATABASE_URL": f"sqlite:///{stage.folder}/gateway.db"}
        failing = stage.gateway(simulator, settings, name="failing", before=_strace(stage, injection))
        sound = stage.gateway(simulator, settings, name="sound")
        sound.start()
        sound.kill()  # makes the tables first: only the calls of the working service are counted
        held = _day(report, injection, simulator, failing, sound)
    finally:
        stage.close(keep=not held)


def _strace(stage: Stage, injection: Injection) -> tuple[str, ...]:
    files = [f"{stage.folder}/gateway.db{suffix}" for suffix in ("", "-wal", "-shm")]
    chosen = [word for file in files for word in ("-P", file)]
    inject = f"inject={injection.calls}:{injection.effect}:when={injection.when}"
    log = str(stage.folder / "strace.log")
    return ("strace", "-f", "-qq", "-o", log, *chosen, "-e", f"trace={injection.calls}", "-e", inject)


def _day(report: Report, injection: Injection, simulator: Simulator, failing: Gateway, sound: Gateway) -> bool:
    sessions = simulator.start_many(_CALLS)
    bofe = Bofe(failing)
    failing.launch()
    asking = [gevent.spawn(bofe.register, session) for session in sessions]
    if injection.deadly:
        gevent.joinall(asking, timeout=6)
    else:
        gevent.joinall(asking, timeout=_HEAL_SECONDS)
        simulator.wait_covered(sessions, 5)
    Pool(4).map(simulator.finish, sessions)
    if not injection.deadly:
        healed = wait_for(lambda: bool(simulator.balance()["clean"]) and len(simulator.ledger("records")) == _CALLS, 40)
        report.claim(f"{injection.what}: it heals by itself", healed is not None, f"{bofe.refused} refused meanwhile")
    wait_for(lambda: _struck(failing) > 0, _HEAL_SECONDS)
    struck = _struck(failing)  # the next kill is ours
    failing.kill()
    bofe.gateway = sound
    sound.start()
    gevent.joinall(asking, timeout=_HEAL_SECONDS)
    took = simulator.wait_clean(_CALLS, _HEAL_SECONDS)
    missing = [one for one in bofe.promised if sound.view(one) is None]
    figure = f"{struck} calls struck, {len(bofe.promised)} promised, {len(missing)} missing"
    kept = report.claim(f"{injection.what}: every 2xx is on disk", bool(struck) and not missing, figure)
    report.note(f"clean {took or -1:.1f} s after the last start")
    return judge.nothing_lost_nothing_doubled(report, simulator) and kept


def _struck(failing: Gateway) -> int:
    log = (failing.folder.parent / "strace.log").read_text()
    return log.count("INJECTED") + log.count("SIGKILL")


class Bofe:
    """Repeats a registration until the answer is 2xx, from whichever gateway runs."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.promised: list[str] = []
        self.refused = 0

    def register(self, session: AgentSession) -> None:
        """Register one conversation; returns when the answer is 2xx."""
        while True:
            try:
                if self.gateway.register(session.conversation).status in (200, 201):
                    self.promised.append(session.conversation)
                    return
            except NoAnswer:
                gevent.sleep(0.1)
            self.refused += 1
            gevent.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
