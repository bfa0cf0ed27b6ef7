"""The services of the process that its parts share: clock, random numbers, metrics, and the crash report."""

from dataclasses import dataclass
from random import Random

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.greenlets import Crash
from genesys_gateway.runtime.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Made once for each gateway and passed to each of its parts; tests make one with a fake clock and a fixed seed."""

    clock: Clock
    #: for jitter; not for cryptography
    random: Random
    metrics: Metrics
    #: called with the name and the error of a greenlet that ended by an error
    on_crash: Crash
