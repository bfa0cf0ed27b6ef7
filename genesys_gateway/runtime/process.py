"""Names a process of this machine so that another process on it can tell later whether it is gone.

Invariant: the answer "gone" is the kernel's own. Where the kernel does not tell, nothing counts as gone.
"""

import os
from pathlib import Path

_PROC = Path("/proc")
#: States in which a process has ended, although its parent has not noticed.
_ENDED = frozenset({"Z", "X", "x"})


def kernel_name() -> str | None:
    """A name that only processes share which see each other: one start of one machine, and one container."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink(_PROC / 'self/ns/pid')}"
    except OSError:
        return None


def own_name() -> str | None:
    """The number and the start time of this process: the number alone may be used again."""
    found = _state_and_start(os.getpid())
    return None if found is None else f"{os.getpid()} {found[1]}"


def is_gone(name: str | None) -> bool:
    """Whether the process that had this :func:`own_name` under the same :func:`kernel_name` has certainly ended."""
    number, _, start = (name or "").partition(" ")
    if not (number.isdecimal() and start):
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass  # there is one, of another user
    found = _state_and_start(int(number))
    return found is not None and (found[0] in _ENDED or found[1] != start)


def _state_and_start(number: int) -> tuple[str, str] | None:
    try:
        # The name of the program, in brackets, may contain anything.
        words = (_PROC / str(number) / "stat").read_text().rpartition(")")[2].split()
        return words[0], words[19]
    except (OSError, IndexError):
        return None
