"""Looks at a load once a second from outside, and prints how it goes on twice a minute.

Invariant: what it sees is for people to read while they wait; the verdict comes from the ledger alone.
"""

import os
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import gevent

from tests.benchmarks.motion.curves import Curve
from tests.benchmarks.motion.figures import CLASSES
from tests.harness.gateway import Gateway
from tests.harness.http import NoAnswer
from tests.harness.processes import memory_mb
from tests.harness.report import Report
from tests.harness.simulator import Json, Simulator

_EVERY_SECONDS, _PRINTED_EVERY = 1.0, 30.0
#: Class of each operation in `genesys_requests_total`.
_CLASSES = {
    "create_channel": "channels",
    "list_topics": "channels",
    "add_topics": "subscriptions",
    "replace_topics": "subscriptions",
    "clear_topics": "subscriptions",
    "conversation_details": "bulk questions",
    "conversation": "live questions",
}
_SERIES = re.compile(r"^genesys_gateway_(\w+(?:\{[^}]*\})?) (\S+)$", re.MULTILINE)
_PENDING, _CLOSED = 'conversations{state="pending"}', 'conversations{state="closed"}'
_OPERATION = re.compile(r'genesys_requests_total\{operation="(\w+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The simulator's counters and the gateway's metrics at one time."""

    #: epoch ms
    at: int
    state: Json
    metrics: Mapping[str, float]

    @property
    def released(self) -> float:
        """Conversations whose topic was given back before their last proof."""
        return self.metrics.get("conversations_released", 0.0)

    @property
    def pending(self) -> float:
        return self.metrics.get(_PENDING, 0.0)

    @property
    def calls(self) -> Counter[str]:
        """Calls since the gateway's start, by class."""
        counted: Counter[str] = Counter()
        for series, value in self.metrics.items():
            if (found := _OPERATION.match(series)) and found[1] != "token":
                counted[_CLASSES.get(found[1], "names")] += int(value)
        return counted


class Watch:
    """Samples until :meth:`stop`."""

    def __init__(self, simulator: Simulator, gateway: Gateway, report: Report) -> None:
        self._simulator, self._gateway, self._report = simulator, gateway, report
        self.samples: list[Sample] = []
        #: resident megabytes of the worker
        self.most_memory = 0.0
        #: longest delay of the gateway's event loop, in seconds
        self.worst_lag = 0.0
        self._watching = [gevent.spawn(self._sample), gevent.spawn(self._print)]

    def stop(self) -> None:
        """Stop sampling."""
        gevent.killall(self._watching)

    def released(self, begin: int) -> Curve:
        """The number of released conversations; times in seconds since ``begin`` (epoch ms)."""
        return [((one.at - begin) / 1000, one.released) for one in self.samples if one.at >= begin]

    def _sample(self) -> None:
        while True:
            try:
                text = self._gateway.bofe.request("GET", "/metrics", seconds=5).body.decode()
                metrics = {name: float(value) for name, value in _SERIES.findall(text)}
                sample = Sample(at=round(time.time() * 1000), state=self._simulator.state(), metrics=metrics)
                self.samples.append(sample)
                self.worst_lag = max(self.worst_lag, metrics.get("hub_lag_seconds", 0.0))
                self.most_memory = max(self.most_memory, memory_mb(self._gateway.worker))
            except NoAnswer as error:
                self._report.note(f"no sample: {error}")
            gevent.sleep(_EVERY_SECONDS)

    def _print(self) -> None:
        before: Sample | None = None
        while True:
            gevent.sleep(_PRINTED_EVERY)
            if self.samples:
                self._report.note(_progress(self.samples[-1], before))
                before = self.samples[-1]


def _progress(now: Sample, before: Sample | None) -> str:
    state, metrics = now.state, now.metrics
    parts = [
        f"{state['listenedTopics']} topics on {metrics.get('channels_open', 0):.0f} channels",
        f"{now.pending:.0f} pending, {now.released:.0f} of them released",
        f"{metrics.get(_CLOSED, 0):.0f} closed",
        f"{state['finishedAcw'] - state['records']} records to come",
    ]
    if before is not None:
        minutes = (now.at - before.at) / 60_000
        calls = now.calls - before.calls
        parts.append("calls a minute: " + ", ".join(f"{calls[name] / minutes:.0f} {name}" for name in CLASSES))
    if "api_calls_left" in metrics:
        parts.append(f"{metrics['api_calls_left']:.0f} calls left")
    return "; ".join(parts)


def processor_seconds(pid: int) -> float:
    """The processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
