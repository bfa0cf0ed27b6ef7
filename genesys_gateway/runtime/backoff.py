"""Exponential back-off: how long to wait after so many failures in a row.

Invariant: pure. The callers add what their case needs: a minimum, a ``Retry-After``, another kind of jitter.
"""

from random import Random

#: Doubling ends here; every ceiling in use is reached long before, and 2.0 to a high power would overflow.
_MOST_DOUBLINGS = 30


def ceiling(base: float, longest: float, failures: int) -> float:
    """The longest wait after a failure: ``base``, doubled for each earlier one, at most ``longest``.

    Args:
        base: The wait after the first failure, in any unit.
        longest: The wait that is never exceeded, in the same unit.
        failures: Failures before this one; 0 at the first.
    """
    return min(longest, base * 2.0 ** min(failures, _MOST_DOUBLINGS))


def full_jitter(random: Random, base: float, longest: float, failures: int) -> float:
    """Anything from 0 to the :func:`ceiling`, so that callers that failed together do not return together."""
    return random.uniform(0, ceiling(base, longest, failures))
