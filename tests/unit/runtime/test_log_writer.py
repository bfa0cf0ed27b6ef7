"""Does logging ever wait, is any line lost without being counted, and are they written in order?"""

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from genesys_gateway.runtime.log_writer import LogWriter


class Pipe:
    """A pipe whose reader reads when it is told to."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        # As small as possible.
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, 4096)
        self._came = b""

    def read(self, until: bytes) -> list[str]:
        """Read what is there, until these bytes have come; returns every line so far."""
        deadline = time.monotonic() + 10
        os.set_blocking(self.reader, False)
        while True:
            with suppress(BlockingIOError):
                self._came += os.read(self.reader, 65536)
            if until in self._came:
                return self._came.decode().splitlines()
            assert time.monotonic() < deadline, self._came[-300:]
            time.sleep(0.001)

    def leave(self) -> None:
        """Close the reader's end."""
        os.close(self.reader)
        self.reader = -1
        time.sleep(0.01)  # gevent closes it in its loop

    def close(self) -> None:
        for end in (self.reader, self.writer):
            if end >= 0:
                os.close(end)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def report(missing: int) -> str:
    return f"{missing} missing"


def test_lines_come_in_their_order(pipe: Pipe) -> None:
    writer = LogWriter(pipe.writer, report)

    for number in range(2000):
        writer.put(f"line {number}")

    assert pipe.read(b"line 1999\n") == [f"line {number}" for number in range(2000)]
    assert writer.dropped == 0


@pytest.mark.parametrize("blocking", [True, False])
def test_a_reader_that_stalls_costs_counted_lines_and_no_time(pipe: Pipe, blocking: bool) -> None:
    os.set_blocking(pipe.writer, blocking)
    writer = LogWriter(pipe.writer, report, most_lines=100)

    begun = time.monotonic()
    for number in range(5000):
        writer.put(f"line {number}".ljust(60))
    assert time.monotonic() - begun < 2
    assert not writer.flush(0.05)

    dropped = writer.dropped
    assert dropped > 4000
    while not writer.flush(0.01):
        pipe.read(b"")
    writer.put("flows again")
    lines = pipe.read(b"flows again\n")

    # In the place of what is missing stands how much it is.
    expected, missing = 0, 0
    for line in lines[:-1]:
        if line.endswith(" missing"):
            missing += int(line.split()[0])
            expected += int(line.split()[0])
        else:
            assert line.rstrip() == f"line {expected}"
            expected += 1
    assert (expected, missing) == (5000, dropped)


def test_what_waits_is_limited_in_bytes_too(pipe: Pipe) -> None:
    writer = LogWriter(pipe.writer, report, most_bytes=100_000)

    for _ in range(100):
        writer.put("x" * 10_000)

    assert writer.dropped >= 85
    pipe.leave()
    assert writer.flush(5)


def test_a_reader_that_has_gone_neither_ends_the_process_nor_keeps_it_busy(pipe: Pipe) -> None:
    pipe.leave()
    writer = LogWriter(pipe.writer, report)

    for _ in range(50):
        writer.put("nobody hears it")
    assert writer.flush(5)
    begun = time.process_time()
    time.sleep(0.2)

    assert writer.dropped == 50
    assert time.process_time() - begun < 0.1


def test_a_disk_that_was_full_gets_the_number_of_missing_lines_and_whole_lines(tmp_path: Path) -> None:
    file = os.open(tmp_path / "log", os.O_CREAT | os.O_RDWR | os.O_APPEND)
    full = os.open("/dev/full", os.O_WRONLY)
    kept = os.dup(file)
    writer = LogWriter(file, report)
    os.dup2(full, file)
    for _ in range(3):
        writer.put("no space")
    assert writer.flush(5)

    os.dup2(kept, file)
    writer.put("space again")
    assert writer.flush(5)

    assert (tmp_path / "log").read_text() == "3 missing\nspace again\n"
    for descriptor in (file, full, kept):
        os.close(descriptor)


FORKED = """
from gevent import monkey; monkey.patch_all()
import os, sys
from genesys_gateway.runtime import logs
logs.configure("info", "json", in_background=True)
logs.capture_everything()
log = logs.get_logger("x")
log.info("before")
child = os.fork()
log.info("after", where="child" if child == 0 else "parent")
if child:
    os.waitpid(child, 0)
sys.exit(2)
"""


def test_master_and_worker_write_each_of_their_lines_once_before_they_end() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=30)

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert sorted((line["event"], line.get("where", "")) for line in lines) == [
        ("after", "child"),
        ("after", "parent"),
        ("before", ""),
    ]
    assert done.returncode == 2


STALLED = """
from gevent import monkey; monkey.patch_all()
import gevent, os, time
from genesys_gateway.runtime import logs
reader, writer = os.pipe()
os.dup2(writer, 2)
logs.configure("info", "json", in_background=True)
logs.capture_everything()
begun = time.monotonic()
for _ in range(10_000):
    logs.get_logger("x").info("line", text="x" * 50)
    print("printed")
gevent.sleep(0.01)
os.write(1, f"{time.monotonic() - begun:.1f} {logs.lines_dropped()}".encode())
"""


def test_a_process_whose_reader_stalls_goes_on_and_ends() -> None:
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", STALLED], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0
    seconds, dropped = done.stdout.split()
    assert int(dropped) > 8_000
    assert time.monotonic() - begun < float(seconds) + 15
