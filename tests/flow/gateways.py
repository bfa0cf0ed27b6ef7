"""Gateways of the flow tests: as in production, but for two timers that would make a test wait."""

import time
from pathlib import Path
from statistics import median

from tests.harness.gateway import Gateway
from tests.harness.http import JsonClient

_QUICK = {
    "GENESYS_GRANT_TYPE": "client-credentials",
    "GATEWAY_QUIET_SECONDS": "0.2",
    "GATEWAY_CHANNEL_IDLE_SECONDS": "1",
}


def launch_gateway(folder: Path, genesys_url: str, **settings: str) -> Gateway:
    """Start a gateway and return at once; a second one in the same folder is a restart."""
    return Gateway(folder, genesys_url, _QUICK | settings).launch()


def start_gateway(folder: Path, genesys_url: str, **settings: str) -> Gateway:
    """Start a gateway and wait until it is ready."""
    running = launch_gateway(folder, genesys_url, **settings)
    running.until_ready()
    return running


def assert_quick(gateway: Gateway) -> None:
    """Assert that it is alive, answers quickly, and has logged no error."""
    took = []
    client = JsonClient(gateway.url)
    for _ in range(40):
        begun = time.monotonic()
        assert client.request("GET", "/livez", seconds=10).status == 200
        took.append(time.monotonic() - begun)
    client.close()
    assert median(took) < 0.25, took
    assert not [line for line in gateway.log() if line["level"] in ("error", "critical")]
