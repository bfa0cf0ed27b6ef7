"""How long recurring work takes beside many conversations that were closed long ago.

Run it as ``python -m tests.benchmarks.past [--rows N] [--timeline] [--folder FOLDER] [--url DATABASE_URL]``. Without a
URL it makes a SQLite file. A file that is in the folder already is used as it is, so that two versions can be compared.
Six million rows take some ten minutes and 2 GB to make; with their entries and timelines 10 GB.
"""
# ruff: noqa: E402 - nothing may be imported before the patching

from gevent import monkey

monkey.patch_all()

import argparse
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import gevent
from sqlalchemy import Connection, create_engine

from genesys_gateway.runtime.clock import DAY_SECONDS, SystemClock
from genesys_gateway.storage import Storage
from genesys_gateway.storage.migrate import migrate
from genesys_gateway.storage.statements import (
    accounting,
    erasure,
    forgetting,
    instances,
    last_look,
    outbox,
    ownership,
    reconciliation,
)
from tests.doubles.past import put_past
from tests.doubles.stored_rows import register
from tests.harness.gateway import Gateway
from tests.harness.simulator import Simulator

#: Rows that are inserted in one transaction.
CHUNK = 100_000
REPETITIONS = 3
#: How long the whole service is watched, in seconds.
WATCHED = 20.0
OWNER = "00000000-0000-4000-8000-0000000000ff"
DAY_MS = round(DAY_SECONDS * 1000)


def statements(now: int) -> dict[str, Callable[[Connection], object]]:
    """Every statement that the service runs again and again."""
    return {
        "registration": lambda c: register(c, str(uuid.uuid4()), now=now, owner=OWNER),
        "lease: renew, a bare commit": lambda c: instances.renew(c, OWNER, 20_000),
        "lease: adopt": lambda c: ownership.adopt(c, OWNER, lease_ms=20_000, now=now, limit=500),
        "resync: pending": lambda c: ownership.pending_of(c, OWNER),
        "resync: followed": lambda c: ownership.followed_by(c, OWNER),
        "reconciliation: due": lambda c: reconciliation.due(c, owner=OWNER, now=now, furthest=now + DAY_MS, limit=500),
        "reconciliation: next dates": lambda c: reconciliation.next_dates(c, OWNER, now),
        "last look": lambda c: last_look.claim(c, now=now, furthest=now + 2 * DAY_MS, until=now, limit=50),
        "gauges: balance": accounting.balance,
        "gauges: backlog": lambda c: outbox.backlog(c, now),
        "delivery: due": lambda c: outbox.due(c, now=now, lease_ms=20_000, limit=64),
        "delivery: unattempted": lambda c: outbox.unattempted(c, now=now, lease_ms=20_000, since=0, limit=16),
        "delivery: next due": lambda c: outbox.next_due(c, now=now, furthest_ms=3_600_000, longest_back_off_ms=300_000),
        "delivery: claims of the predecessor": outbox.release,
        "retention: misdated": lambda c: erasure.redate(c, latest=now + DAY_MS),
        "retention: records": lambda c: erasure.old_records(c, before=now, now=now, limit=100),
        "retention: conversations": lambda c: erasure.old_conversations(c, before=now, now=now, limit=100, after=None),
        "forgetting: 10 conversations": lambda c: forgetting.old_conversations(
            c, closed_before=now, erased_before=now, limit=10, after=None
        ),
    }


def fill(url: str, rows: int, *, timeline: bool) -> None:
    """Make the tables and the past."""
    begun = time.monotonic()
    migrate(url)
    engine = create_engine(url)
    for first in range(1, rows + 1, CHUNK):
        with engine.begin() as connection:
            if engine.dialect.name == "sqlite" and first == 1:
                connection.exec_driver_sql("PRAGMA cache_size = -1000000")
            some = min(CHUNK, rows + 1 - first)
            put_past(connection, some, now=SystemClock().now(), first=first, entries=timeline, timeline=timeline)
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE")
    engine.dispose()
    print(f"{rows:,} closed conversations made in {time.monotonic() - begun:.0f} s", flush=True)


def measure_statements(url: str) -> None:
    """Print the time of each statement in the service's own storage, its commit included."""
    clock = SystemClock()
    storage = Storage(url, clock, patience_seconds=60.0)
    storage.open()
    storage.run(lambda c: instances.enter(c, OWNER, 20_000))
    for name, job in statements(clock.now()).items():
        taken = []
        for _ in range(REPETITIONS):
            begun = time.perf_counter()
            storage.run(job)
            taken.append(time.perf_counter() - begun)
        print(f"  {name:<38} {min(taken) * 1000:9.1f} ms (first {taken[0] * 1000:.1f})", flush=True)
    storage.close()


def measure_service(url: str, folder: Path) -> None:
    """Print how long the whole service takes to start, and then to answer while nothing else happens."""
    simulator = Simulator(folder)
    gateway = Gateway(folder, simulator.url, {"GENESYS_GRANT_TYPE": "client-credentials", "DATABASE_URL": url})
    try:
        begun = time.monotonic()
        gateway.launch()
        gateway.until_ready(300)
        print(f"  service: ready after {time.monotonic() - begun:.1f} s", flush=True)
        probes, registrations = watch(gateway)
        for name, taken in (("/readyz", probes), ("registration", registrations)):
            taken.sort()
            print(f"  service: {name} median {taken[len(taken) // 2]:.1f} ms, max {taken[-1]:.1f} ms of {len(taken)}")
    finally:
        gateway.close()
        simulator.stop()


def watch(gateway: Gateway) -> tuple[list[float], list[float]]:
    """The times in milliseconds that ``/readyz`` and registrations take, one after the other."""
    probes: list[float] = []
    registrations: list[float] = []
    end = time.monotonic() + WATCHED

    def every(pause: float, call: Callable[[], object], taken: list[float]) -> None:
        while time.monotonic() < end:
            begun = time.perf_counter()
            call()
            taken.append((time.perf_counter() - begun) * 1000)
            gevent.sleep(pause)

    probe = gevent.spawn(every, 0.1, gateway.ready, probes)
    register_one = gevent.spawn(every, 2.0, lambda: gateway.register(str(uuid.uuid4())), registrations)
    gevent.joinall([probe, register_one], raise_error=True)
    return probes, registrations


def size_of(url: str, rows: int) -> None:
    """Print what a conversation takes on disk, its indexes included."""
    engine = create_engine(url)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            total = pages * connection.exec_driver_sql("PRAGMA page_size").scalar_one()
        else:
            total = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()
    engine.dispose()
    print(f"  {total / 1e6:,.0f} MB: {total / rows:,.0f} bytes a conversation", flush=True)


def main() -> None:
    """Make the past unless it is there, then measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--timeline", action="store_true", help="each conversation has an entry and a timeline")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--url")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        file = folder / "gateway.db"
        url = arguments.url or f"sqlite:///{file}"
        if not arguments.url and file.exists():
            begun = time.monotonic()
            migrate(url)
            print(f"migrated in {time.monotonic() - begun:.1f} s", flush=True)
        else:
            fill(url, arguments.rows, timeline=arguments.timeline)
        size_of(url, arguments.rows)
        measure_statements(url)
        measure_service(url, folder)


if __name__ == "__main__":
    main()
