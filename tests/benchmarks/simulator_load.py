"""How many events a second the simulator delivers: 20 sockets with 1,000 topics each, events at a given rate.

`python -m tests.benchmarks.simulator_load [rate]` prints the rate reached, the delay from event to socket, and the
simulator's share of one core. Below 3,000 events a second it would limit the clients that are measured with it.
"""
# ruff: noqa: E402 - nothing may be imported before the patching

from gevent import monkey

monkey.patch_all()

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import gevent
import orjson
import requests
import websocket

from tests.harness.http import JsonClient
from tests.harness.simulator import Simulator

SOCKETS, TOPICS = 20, 1000
#: Events a second, unless the command line says otherwise.
RATE = 3000.0


class Load:
    """The channels of one simulator, and the delay of each event that arrived."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.api = JsonClient(simulator.url, _token(simulator.url))
        self.delays: list[float] = []

    def channel(self) -> websocket.WebSocket:
        """Make a channel, subscribe it to conversations of its own, and open its socket."""
        channel = self.api.request("POST", "/api/v2/notifications/channels").json
        sessions = self.simulator.start_many(TOPICS)
        topics = [{"id": f"v2.detail.events.conversation.{one.conversation}.acw"} for one in sessions]
        reply = self.api.request("POST", f"/api/v2/notifications/channels/{channel['id']}/subscriptions", topics)
        assert reply.status == 200, reply.body
        return websocket.create_connection(channel["connectUri"], skip_utf8_validation=True, enable_multithread=False)

    def read(self, socket: Any) -> None:
        """Read one event of each topic."""
        for _ in range(TOPICS):
            frame = socket.recv_data_frame()[1]
            self.delays.append(time.time() * 1000 - orjson.loads(frame.data)["eventBody"]["eventTime"])

    def run(self, rate: float) -> None:
        """Have every agent wrap up at that rate, and print the figures."""
        readers = [gevent.spawn(self.read, socket) for socket in [self.channel() for _ in range(SOCKETS)]]
        cpu, began = _cpu_seconds(self.simulator.process.pid), time.monotonic()
        self.simulator.control("POST", "/wrapup-all", {"perSecond": rate})
        gevent.joinall(readers, raise_error=True)
        took, used = time.monotonic() - began, _cpu_seconds(self.simulator.process.pid) - cpu
        delays = sorted(self.delays)
        print(
            f"{len(delays)} events over {SOCKETS} sockets in {took:.2f} s: {len(delays) / took:.0f}/s of {rate:.0f}/s; "
            f"delay ms p50 {delays[len(delays) // 2]:.1f}, p99 {delays[len(delays) * 99 // 100]:.1f}, "
            f"max {delays[-1]:.1f}; simulator {used / took:.0%} of a core"
        )


def _token(url: str) -> str:
    auth, grant = ("simulator-client", "simulator-secret"), {"grant_type": "client_credentials"}
    with requests.Session() as session:
        session.trust_env = False
        return str(session.post(f"{url}/oauth/token", auth=auth, data=grant, timeout=10).json()["access_token"])


def _cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Start a simulator, run the load once, and end the simulator."""
    with tempfile.TemporaryDirectory() as folder:
        simulator = Simulator(Path(folder))
        try:
            Load(simulator).run(float(sys.argv[1]) if len(sys.argv) > 1 else RATE)
        finally:
            simulator.process.kill()


if __name__ == "__main__":
    main()
