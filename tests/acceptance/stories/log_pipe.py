"""stdout and stderr in a pipe whose reader stalls, or is gone: everything goes on, and what is missing is counted."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

import gevent
import orjson

from tests.harness.gateway import Gateway
from tests.harness.http import NoAnswer
from tests.harness.simulator import Simulator
from tests.harness.stage import Stage
from tests.harness.waiting import wait_for

#: Latest time of an answer.
_ANSWER_SECONDS = 2.0


class Shipper:
    """Reads what a gateway writes, while it wants to."""

    def __init__(self, fifo: str) -> None:
        self._descriptor = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.came = b""

    def read(self) -> None:
        """Read everything that is there now."""
        with suppress(BlockingIOError):
            while piece := os.read(self._descriptor, 65536):
                self.came += piece

    def close(self) -> None:
        """Be gone, like a process that died."""
        os.close(self._descriptor)

    def bad_lines(self) -> list[bytes]:
        """Whole lines that are not JSON."""
        return [line for line in self.came.splitlines()[:-1] if not _is_json(line)]


def play(stage: Stage) -> None:
    """A reader that stalls and goes on again, and one that dies."""
    simulator = stage.simulator()
    count = stage.scale.of(full=14_000, fast=14_000, small=600)
    with _gateway(stage, simulator, "stalls") as (gateway, shipper):
        shipper.read()
        _register(stage, gateway, count, "the reader stalls")
        if count > 10_000:
            wait_for(lambda: gateway.metric("log_lines_dropped_total"), 10)
        dropped = gateway.metric("log_lines_dropped_total")
        wait_for(lambda: _flows_again(gateway, shipper), 30, every=0.1)
        bad = shipper.bad_lines()
        stage.report.claim("the reader goes on: lines flow again, each is JSON", not bad and _alive(gateway), bad[:1])
        if count > 10_000:
            told = [line for line in map(orjson.loads, shipper.came.splitlines()[:-1]) if _is_report(line)]
            figure = f"{sum(line['lines'] for line in told)} lines, metric {dropped:.0f}"
            stage.report.claim("what is missing is told and counted", bool(told) and dropped > 0, figure)
        shipper.close()
        _register(stage, gateway, min(count, 300), "the reader is gone")
        before = _cpu_seconds(gateway)
        gevent.sleep(1)
        stage.report.note(f"CPU in the second after that: {_cpu_seconds(gateway) - before:.2f} s")
        begun = time.monotonic()
        code = gateway.stop()
        took = time.monotonic() - begun
        stage.report.claim("SIGTERM ends it with 0 within 25 s", code == 0 and took < 25, f"exit {code}, {took:.1f} s")


@contextmanager
def _gateway(stage: Stage, simulator: Simulator, name: str) -> Iterator[tuple[Gateway, Shipper]]:
    """A gateway that writes into a pipe."""
    gateway = stage.gateway(simulator, name=name)
    log = gateway.folder / "gateway.log"
    os.mkfifo(log)
    shipper = Shipper(str(log))
    gateway.start()
    try:
        yield gateway, shipper
    finally:
        gateway.close()
        # Others read this file after the story, and would wait for ever for the end of a pipe.
        log.unlink()
        log.write_bytes(shipper.came)


def _register(stage: Stage, gateway: Gateway, count: int, what: str) -> None:
    slowest, statuses = 0.0, []
    for number in range(count):
        begun = time.monotonic()
        try:
            statuses.append(gateway.bofe.request("GET", "/livez", seconds=5).status)
            if number % 10 == 0:
                statuses.append(gateway.register(str(uuid4())).status)
        except NoAnswer:
            statuses.append(0)
        slowest = max(slowest, time.monotonic() - begun)
        if statuses[-1] == 0:
            break
    good = statuses.count(200) + statuses.count(201)
    figure = f"{good} of {len(statuses)} requests answered, slowest {slowest:.2f} s"
    stage.report.claim(
        f"{what}: every request is answered", good == len(statuses) and slowest < _ANSWER_SECONDS, figure
    )


def _flows_again(gateway: Gateway, shipper: Shipper) -> bool:
    """Whether the line of a request that is made now comes."""
    path = f"/{uuid4()}"
    gateway.bofe.request("GET", path)
    gevent.sleep(0.2)
    shipper.read()
    return path.encode() in shipper.came


def _alive(gateway: Gateway) -> bool:
    return gateway.bofe.request("GET", "/livez").status == 200


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def _is_report(line: dict[str, object]) -> bool:
    return line["event"] == "log_lines_dropped"


def _cpu_seconds(gateway: Gateway) -> float:
    with open(f"/proc/{gateway.worker}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
