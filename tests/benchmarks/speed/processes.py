"""What a process has used: the time of its processors and its memory, as the kernel counts them.

The time of a processor depends less on what else the machine does than the time of a clock. Its unit here is 10 ms, so
measure over seconds.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import gevent

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Time of the processors that a process has used, in the kernel too, with all of its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_together_mb(pids: Sequence[int]) -> float:
    """Resident memory of several processes, in MB; what they share is counted once."""
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines() for pid in pids]
    return sum(int(line.split()[1]) for lines in rollups for line in lines if line.startswith("Pss:")) / 1024


def share_of_cpu(pid: int, seconds: float) -> float:
    """The share of a processor that a process takes in the next so many seconds."""
    before = cpu_seconds(pid)
    gevent.sleep(seconds)
    return (cpu_seconds(pid) - before) / seconds


@dataclass(slots=True)
class Used:
    """Time of the processors that processes used within a block, in seconds; set when the block has ended."""

    seconds: float = 0.0


@contextmanager
def used_by(pids: Sequence[int], anyway: float = 0) -> Iterator[Used]:
    """Measure what these processes use within the block.

    Args:
        anyway: The share of a processor that they take for something else, which is not counted.
    """
    used, before, begun = Used(), sum(map(cpu_seconds, pids)), time.monotonic()
    yield used
    used.seconds = sum(map(cpu_seconds, pids)) - before - anyway * (time.monotonic() - begun)
