"""What a process has used: the time of its processors and its memory, as the kernel counts them.

The time of a processor depends less on what else the machine does than the time of a clock. Its unit here is 10 ms, so
measure over seconds.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Time of the processors that a process has used, in the kernel too, with all of its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_together_mb(pids: Sequence[int]) -> float:
    """Resident memory of several processes, in MB; what they share is counted once."""
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines() for pid in pids]
    return sum(int(line.split()[1]) for lines in rollups for line in lines if line.startswith("Pss:")) / 1024


@dataclass(slots=True)
class Used:
    """Time of the processors that processes used within a block, in seconds; set when the block has ended."""

    seconds: float = 0.0


@contextmanager
def used_by(pids: Sequence[int]) -> Iterator[Used]:
    """Measure what these processes use within the block."""
    used, before = Used(), sum(map(cpu_seconds, pids))
    yield used
    used.seconds = sum(map(cpu_seconds, pids)) - before
