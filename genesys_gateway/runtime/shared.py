"""What the parts of the service share: time, chance, metrics, and where a crash is reported."""

from dataclasses import dataclass
from random import Random

from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.greenlets import Crash
from genesys_gateway.runtime.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """One for a gateway, handed to each part that it is made of."""

    clock: Clock
    #: for jitter; no cryptography
    random: Random
    metrics: Metrics
    #: called with the name and the error of a greenlet that ended by one
    on_crash: Crash
