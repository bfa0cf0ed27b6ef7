"""Writes lines to a file descriptor in a thread of its own, so that a reader that stalls stops no greenlet.

Invariant: :meth:`LogWriter.put` never waits. Lines are written in the order in which they came. What finds no space, or
can't be written, is counted, and a line in its place says how many are missing.
"""

import os
import select
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gevent import monkey

#: Maximum number of lines that wait, and of their bytes.
MOST_LINES = 10_000
MOST_BYTES = 8 * 1024 * 1024
#: Number of bytes that a pipe takes as a whole (PIPE_BUF): master and worker write into the same one.
_AT_ONCE = 4096
#: How long the thread waits for more lines before it writes, because each of its turns interrupts the greenlets.
_GATHER_SECONDS = 0.02
#: Pause between two looks at a descriptor that takes nothing now, in milliseconds.
_PAUSE_MS = 1000

# Those that gevent has not replaced: its own threads are greenlets of the thread that must not stop.
start_new_thread = monkey.get_original("_thread", "start_new_thread")
_new_lock = monkey.get_original("_thread", "allocate_lock")
# Reentrant, because a signal handler may log while its own thread is in here.
_new_rlock = monkey.get_original("_thread", "RLock")
_native_sleep = monkey.get_original("time", "sleep")
_native_poll = monkey.get_original("select", "poll")


class LogWriter:
    """The lines that wait for one descriptor. A forked child begins without any, and with a thread of its own.

    Args:
        descriptor: Where the lines go; it may be blocking or not.
        report: Makes the line that says how many lines are missing.
        most_lines: Maximum number of lines that wait.
        most_bytes: Maximum number of their bytes.
    """

    def __init__(
        self,
        descriptor: int,
        report: Callable[[int], str],
        *,
        most_lines: int = MOST_LINES,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._descriptor = descriptor
        self._report = report
        self._most_lines = most_lines
        self._most_bytes = most_bytes
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._lock = _new_rlock()
        self._wake = _new_lock()
        # Each line with the number of lines that are missing before it.
        self._lines: deque[tuple[int, bytes]] = deque()
        self._bytes = 0
        self._full = False
        self._missing = 0
        self._failed = 0
        self._dropped = 0
        self._torn = False
        self._running = False
        self._writing = False

    @property
    def dropped(self) -> int:
        """Number of lines that were not written, because too many waited or the descriptor took none."""
        return self._dropped

    def put(self, line: str) -> None:
        """Have a line written soon; drop it if too many wait."""
        content = line.encode("utf-8", "backslashreplace") + b"\n"
        with self._lock:
            self._full = self._is_full(len(content))
            if self._full:
                self._dropped += 1
                self._missing += 1
                return
            self._lines.append((self._missing, content))
            self._bytes += len(content)
            self._missing = 0
            if not self._running:
                self._running = True
                start_new_thread(self._run, (self._wake,))
        if self._wake.locked():
            with suppress(RuntimeError):  # another thread was first
                self._wake.release()

    def _is_full(self, more: int) -> bool:
        # Once it was full it must be half empty first, or there would be a report for every few lines.
        share = 0.5 if self._full else 1.0
        return len(self._lines) >= share * self._most_lines or self._bytes + more > share * self._most_bytes

    def flush(self, seconds: float) -> bool:
        """Wait until everything is written, at most that long; stops all greenlets. Returns whether it is."""
        deadline = time.monotonic() + seconds
        while self._lines or self._writing:
            if time.monotonic() > deadline:
                return False
            _native_sleep(0.001)
        return True

    # What follows runs in the thread.

    def _run(self, wake: Any) -> None:
        while True:
            wake.acquire()
            _native_sleep(_GATHER_SECONDS)
            while batch := self._take():
                self._write(*batch)

    def _take(self) -> tuple[int, int, bytes] | None:
        """The next lines, as many as a pipe takes as a whole, but at least one.

        Returns:
            Number of lines that are missing before them, their own number, and their bytes.
        """
        with self._lock:
            self._writing = bool(self._lines)
            if not self._lines:
                return None
            missing, content = self._lines.popleft()
            pieces = [content]
            size = len(content)
            while self._lines and not self._lines[0][0] and size + len(self._lines[0][1]) <= _AT_ONCE:
                pieces.append(self._lines.popleft()[1])
                size += len(pieces[-1])
            self._bytes -= size
        return missing, len(pieces), b"".join(pieces)

    def _write(self, missing: int, count: int, content: bytes) -> None:
        missing += self._failed
        if missing:
            content = self._report(missing).encode("utf-8", "backslashreplace") + b"\n" + content
        if self._torn:
            content = b"\n" + content
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[self._write_some(rest) :]
            self._failed, self._torn = 0, False
        except OSError:
            # The reader has gone, or the disk is full. This can't be logged; it is counted.
            self._dropped += count
            self._failed = missing + count
            self._torn = len(rest) < len(content)

    def _write_some(self, rest: memoryview) -> int:
        try:
            return os.write(self._descriptor, rest)
        except BlockingIOError:
            poll = _native_poll()
            poll.register(self._descriptor, select.POLLOUT)
            poll.poll(_PAUSE_MS)
            return 0
