"""The time of a database job that has a commit to itself, and of one that shares its commit with others.

Run it as ``python -m tests.benchmarks.storage [DATABASE_URL]``; without a URL: a SQLite file in a temporary folder.
Compare the figures of one run with each other, never with those of another machine.
"""
# ruff: noqa: E402 - nothing may be imported before the patching

from gevent import monkey

monkey.patch_all()

import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable

import gevent
from sqlalchemy import Connection

from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.storage import Storage
from genesys_gateway.storage.migrate import migrate
from genesys_gateway.storage.tables import registration

JOBS = 2000
GREENLETS = (1, 4, 16, 64, 256)
ROUNDS = 5

#: Built once: building a statement takes as long as running it.
INSERT = registration.insert()


def accept(connection: Connection) -> None:
    """Insert one row, as an event or a registration does."""
    connection.execute(INSERT, {"conversation_id": str(uuid.uuid4()), "accepted_at": 0})


def nothing(connection: Connection) -> None:
    """No row: only the way to the thread and back, and an empty transaction."""


def microseconds(storage: Storage, job: Callable[[Connection], None], greenlets: int) -> float:
    """The mean time of one job when that many greenlets each run one after the other."""

    def worker() -> None:
        for _ in range(JOBS // greenlets):
            storage.run(job)

    begun = time.perf_counter()
    gevent.joinall([gevent.spawn(worker) for _ in range(greenlets)], raise_error=True)
    return (time.perf_counter() - begun) / (JOBS // greenlets * greenlets) * 1e6


def measure(database_url: str) -> None:
    """Measure and print the table."""
    migrate(database_url)
    storage = Storage(database_url, SystemClock())
    storage.open()
    print(f"{'greenlets':>9} {'one row':>12} {'nothing':>12}   cheaper than alone by")
    alone = 0.0
    for greenlets in GREENLETS:
        row = statistics.median(microseconds(storage, accept, greenlets) for _ in range(ROUNDS))
        empty = statistics.median(microseconds(storage, nothing, greenlets) for _ in range(ROUNDS))
        alone = alone or row
        print(f"{greenlets:>9} {row:>9.1f} µs {empty:>9.1f} µs   {alone / row:.1f}")
    storage.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            measure(f"sqlite:///{folder}/gateway.db")
