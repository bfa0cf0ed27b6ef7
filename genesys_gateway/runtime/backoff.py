"""Exponential back-off: the wait after a number of failures in a row.

Invariant: pure. Callers add what their case needs: a minimum, a ``Retry-After``, another kind of jitter.
"""

from random import Random

#: Maximum number of doublings. Every ceiling in use is reached long before; a much higher power of 2.0 would overflow.
_MOST_DOUBLINGS = 30


def ceiling(base: float, longest: float, failures: int) -> float:
    """The longest wait after a failure: ``base``, doubled for each earlier failure, at most ``longest``.

    Args:
        base: The wait after the first failure, in any unit.
        longest: The maximum wait, in the same unit.
        failures: Number of failures before this one; 0 at the first.
    """
    return min(longest, base * 2.0 ** min(failures, _MOST_DOUBLINGS))


def full_jitter(random: Random, base: float, longest: float, failures: int) -> float:
    """A random wait from 0 to the :func:`ceiling`, so that callers that failed together do not return together."""
    return random.uniform(0, ceiling(base, longest, failures))
