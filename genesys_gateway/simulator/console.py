"""The console page at `/`."""

from __future__ import annotations

from genesys_gateway.simulator.wire import Answer, Request
from genesys_gateway.simulator.world import World


def answer(_: World, __: Request) -> Answer:
    return Answer(body=b"<!doctype html><title>Simulator</title><p>GET /_sim", content_type="text/html; charset=utf-8")
