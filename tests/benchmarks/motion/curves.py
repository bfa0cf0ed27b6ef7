"""The curves of a load over time, computed from the ledger: numbers, calls and delays.

Invariant: pure. Times are seconds since the begin of the time under load.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tests.benchmarks.motion.figures import (
    CLASSES,
    Json,
    Ledger,
    class_of,
    presence,
    quantile,
    recordings,
    seconds_between,
)
from tests.harness.judge import api_calls

#: Calls and delays are summed up over this long.
STEP_SECONDS = 10

#: Time and value.
Curve = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Median and 99 % of the delays that began within each step; infinite ones are left out."""

    median: Curve
    p99: Curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """What the picture of a load shows."""

    #: name of a group of conversations -> its size
    numbers: Mapping[str, Curve]
    #: class of calls -> calls a minute
    calls: Mapping[str, Curve]
    coverage: Quantiles
    records: Quantiles
    given_back: Quantiles

    def with_numbers(self, name: str, curve: Curve) -> "Curves":
        """The same with one more group of conversations."""
        return replace(self, numbers={**self.numbers, name: curve})


def curves(ledger: Ledger, begin: int, end: int) -> Curves:
    """Compute all curves between two times in epoch ms.

    Conversations need a topic from their registration until it is given back; until it is listened to they wait.
    """
    conversations = ledger.conversations
    groups = {
        "going on": ((one["began"], one["ended"]) for one in conversations),
        "with a topic": ((one["listened"], one["unheard"]) for one in conversations),
        "wait for a topic": ((one["registered"], _first(one["listened"], one["unheard"])) for one in conversations),
        "ended, not given back": (
            (one["ended"], one["unheard"]) for one in conversations if one["listened"] is not None
        ),
    }
    records = [(one.at, one.seconds) for one in recordings(ledger.finished, ledger.records)]
    # Leaving out those whose topic is still not given back would make the delay seem short.
    given_back = [
        (one["ended"], seconds_between(one["ended"], one["unheard"] or end))
        for one in conversations
        if one["ended"] and one["listened"]
    ]
    return Curves(
        numbers={name: _steps(presence(stays), begin, end) for name, stays in groups.items()},
        calls=_calls(ledger.calls, begin, end),
        coverage=_quantiles(
            (
                (one["registered"], seconds_between(one["registered"], one["listened"]))
                for one in conversations
                if one["registered"]
            ),
            begin,
            end,
        ),
        records=_quantiles(records, begin, end),
        given_back=_quantiles(given_back, begin, end),
    )


def _first(*times: int | None) -> int | None:
    return min((at for at in times if at is not None), default=None)


def _steps(changes: Sequence[tuple[int, int]], begin: int, end: int) -> Curve:
    """The number at each second."""
    curve, number, following = [], 0, 0
    for at in range(begin, end + 1, 1000):
        while following < len(changes) and changes[following][0] <= at:
            number = changes[following][1]
            following += 1
        curve.append(((at - begin) / 1000, float(number)))
    return curve


def _calls(calls: Iterable[Json], begin: int, end: int) -> dict[str, Curve]:
    counts = Counter(
        (class_of(call), (call["at"] - begin) // 1000 // STEP_SECONDS)
        for call in api_calls(calls)
        if begin <= call["at"] < end
    )
    steps = range((end - begin) // 1000 // STEP_SECONDS)
    a_minute = 60 / STEP_SECONDS
    return {name: [(step * STEP_SECONDS, counts[name, step] * a_minute) for step in steps] for name in CLASSES}


def _quantiles(delays: Iterable[tuple[int, float]], begin: int, end: int) -> Quantiles:
    steps: defaultdict[int, list[float]] = defaultdict(list)
    for at, seconds in delays:
        if begin <= at < end and seconds != float("inf"):
            steps[(at - begin) // 1000 // STEP_SECONDS].append(seconds)
    middle = {(step + 0.5) * STEP_SECONDS: sorted(steps[step]) for step in sorted(steps)}
    return Quantiles(
        median=[(at, quantile(values, 0.5)) for at, values in middle.items()],
        p99=[(at, quantile(values, 0.99)) for at, values in middle.items()],
    )
