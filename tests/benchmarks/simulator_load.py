"""How much the simulator can carry: 20 sockets with 1,000 topics each, events at a given rate.

`python -m tests.benchmarks.simulator_load [rate]` prints the rate reached, the delay from event to socket, and the
simulator's share of one core. It has to carry 3,000 events a second, or it is what is measured instead of a client.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import re  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
import orjson  # noqa: E402
import requests  # noqa: E402
import websocket  # noqa: E402

SOCKETS, TOPICS = 20, 1000


class Load:
    """One simulator process, its channels, and what arrived."""

    def __init__(self, url: str, process: int) -> None:
        self.url, self.process = url, process
        self.http = requests.Session()
        self.http.trust_env = False
        self.delays: list[float] = []

    def prepare(self) -> list[websocket.WebSocket]:
        grant = {"grant_type": "client_credentials"}
        auth = ("simulator-client", "simulator-secret")
        token = self.http.post(f"{self.url}/oauth/token", auth=auth, data=grant).json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        return [self._channel() for _ in range(SOCKETS)]

    def _channel(self) -> websocket.WebSocket:
        channel = self.http.post(f"{self.url}/api/v2/notifications/channels").json()
        started = self.http.post(f"{self.url}/_sim/conversations", json={"count": TOPICS}).json()["conversations"]
        topics = [{"id": f"v2.detail.events.conversation.{one['conversationId']}.acw"} for one in started]
        reply = self.http.post(f"{self.url}/api/v2/notifications/channels/{channel['id']}/subscriptions", json=topics)
        reply.raise_for_status()
        return websocket.create_connection(channel["connectUri"], skip_utf8_validation=True, enable_multithread=False)

    def read(self, socket: Any) -> None:
        for _ in range(TOPICS):
            frame = socket.recv_data_frame()[1]
            self.delays.append(time.time() * 1000 - orjson.loads(frame.data)["eventBody"]["eventTime"])

    def cpu_seconds(self) -> float:
        with open(f"/proc/{self.process}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def run(self, rate: float) -> None:
        readers = [gevent.spawn(self.read, socket) for socket in self.prepare()]
        cpu, began = self.cpu_seconds(), time.monotonic()
        self.http.post(f"{self.url}/_sim/wrapup-all", json={"perSecond": rate})
        gevent.joinall(readers, raise_error=True)
        took, used = time.monotonic() - began, self.cpu_seconds() - cpu
        delays = sorted(self.delays)
        print(
            f"{len(delays)} events over {SOCKETS} sockets in {took:.2f} s: {len(delays) / took:.0f}/s of {rate:.0f}/s; "
            f"delay ms p50 {delays[len(delays) // 2]:.1f}, p99 {delays[len(delays) * 99 // 100]:.1f}, "
            f"max {delays[-1]:.1f}; simulator {used / took:.0%} of a core"
        )


def main() -> None:
    command = [sys.executable, "-m", "genesys_gateway.simulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        try:
            Load(found[0], process.pid).run(float(sys.argv[1]) if len(sys.argv) > 1 else 3000)
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
