"""The loads that are played, what is promised under each, and how a smaller copy of one is made."""

from dataclasses import dataclass, replace

#: Topics on one channel, and channels that hold topics: one of 20 is kept free for handovers.
TOPICS, CHANNELS = 1000, 19
#: `GATEWAY_API_RATE_PER_MINUTE`, and how many of them don't become fewer with the load: as many channels are made, kept
#: and audited, and as many agents have names.
CALLS, FIXED_CALLS = 300, 75
#: The default of `GATEWAY_ANALYTICS_SETTLE_SECONDS`.
SETTLE_SECONDS = 300.0
AFTER_CALL_WORK_SECONDS = 20.0
#: The talks last between half and one and a half times their mean.
SPREAD = 0.5
MINUTES = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """The most that is promised under a load; None: nothing is promised."""

    coverage_p99: float
    record_p99: float
    #: from the end of a conversation until its topic is given back
    given_back_p99: float | None
    #: longest time above the capacity; None: the population has to be flat
    above_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Conversations that come and go."""

    name: str
    per_minute: float
    talk_seconds: float
    promise: Promise
    #: conversations that are going on when the others begin to come
    standing: int = 0
    #: how many of them begin a second
    standing_per_second: float = 100.0
    #: whether sockets and analytics fail in the middle
    troubled: bool = False
    minutes: float = MINUTES
    topics: int = TOPICS
    calls: int = CALLS
    #: `GATEWAY_ANALYTICS_SETTLE_SECONDS`
    settle_seconds: float = SETTLE_SECONDS

    @property
    def capacity(self) -> int:
        """Topics that all channels hold together."""
        return self.topics * CHANNELS

    @property
    def life_seconds(self) -> float:
        """The longest time from the begin of a conversation until nothing more happens in it."""
        return self.talk_seconds * (1 + SPREAD) + AFTER_CALL_WORK_SECONDS

    @property
    def standing_seconds(self) -> float:
        """Time in which the standing conversations begin."""
        return self.standing / self.standing_per_second

    def smaller(self, scale: float, minutes: float) -> "Load":
        """The same for so many minutes, with that share of conversations, topics and calls.

        With fewer calls a minute subscriptions are further apart, so that more time is promised for them.
        """
        calls = round(FIXED_CALLS + (self.calls - FIXED_CALLS) * scale)
        coverage = self.promise.coverage_p99 * self.calls / calls
        return replace(
            self,
            promise=replace(self.promise, coverage_p99=round(coverage, 1)),
            per_minute=self.per_minute * scale,
            standing=round(self.standing * scale),
            standing_per_second=self.standing_per_second * scale,
            topics=round(self.topics * scale),
            calls=calls,
            minutes=minutes,
        )


_FULL = Load(
    name="full",
    per_minute=1900,
    talk_seconds=15_000 / 1900 * 60,
    standing=15_000,
    promise=Promise(coverage_p99=2, record_p99=1, given_back_p99=SETTLE_SECONDS + 180, above_seconds=30),
)
LOADS = (
    Load(
        name="100",
        per_minute=100,
        talk_seconds=60,
        promise=Promise(coverage_p99=0.5, record_p99=0.1, given_back_p99=180),
    ),
    Load(
        name="500",
        per_minute=500,
        talk_seconds=60,
        promise=Promise(coverage_p99=2, record_p99=0.5, given_back_p99=SETTLE_SECONDS + 120),
    ),
    _FULL,
    replace(_FULL, name="troubled", troubled=True, promise=replace(_FULL.promise, given_back_p99=None)),
)
