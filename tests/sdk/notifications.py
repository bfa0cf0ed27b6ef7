"""The package `genesys-notifications` against the simulator: `python notifications.py URL`, in a venv that has it.

It connects, subscribes over the socket, reads heartbeats and the event. Two bugs of its own are worked around, as
its release 1.3 does not run on Python 3.11 otherwise:

* it hands a bare coroutine to `asyncio.wait`, which has refused those since 3.11;
* it imports names that `websockets` 14 and later do not have (the runner installs 13).
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
import logging
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterable
from typing import Any

_PATIENCE_SECONDS = 20


def post(url: str, body: bytes | None = None, **headers: str) -> Any:
    request = urllib.request.Request(url, body, headers, method="POST")
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


def mended_wait() -> None:
    """Let `asyncio.wait` take coroutines again, as it did when the package was written."""
    wait = asyncio.wait

    async def wait_for_any(things: Iterable[Any], **options: Any) -> Any:
        return await wait([asyncio.ensure_future(thing) for thing in things], **options)

    setattr(asyncio, "wait", wait_for_any)  # noqa: B010 - a replacement of another type


class Diary(logging.Handler):
    """What the package tells about itself: it keeps heartbeats and replies from its caller."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


async def listen(url: str, connect_uri: str, call: Any) -> None:
    package: Any = importlib.import_module("genesys_notifications")
    diary, logger = Diary(), logging.getLogger("package")
    logger.addHandler(diary)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    topic = f"v2.detail.events.conversation.{call['conversationId']}.acw"
    channel = package.Channel(connect_uri, [topic], logger=logger)
    await channel
    event = asyncio.ensure_future(anext(channel))
    while "got heartbeat" not in diary.lines:
        await asyncio.sleep(0.05)
    await asyncio.to_thread(post, f"{url}/_sim/conversations/{call['conversationId']}/wrapup")
    message = await event
    assert message["eventBody"]["sessionId"] == call["sessionId"]
    assert "topic subscription successful" in diary.lines, diary.lines
    sys.stdout.write("  genesys-notifications: subscribed over the socket, read heartbeats and the event\n")


def main(url: str) -> None:
    mended_wait()
    basic = base64.b64encode(b"simulator-client:simulator-secret").decode()
    form = urllib.parse.urlencode({"grant_type": "client_credentials"}).encode()
    token = post(f"{url}/oauth/token", form, Authorization=f"Basic {basic}")["access_token"]
    channel = post(f"{url}/api/v2/notifications/channels", Authorization=f"Bearer {token}")
    call = post(f"{url}/_sim/conversations", b"{}")
    asyncio.run(asyncio.wait_for(listen(url, channel["connectUri"], call), _PATIENCE_SECONDS))


if __name__ == "__main__":
    main(sys.argv[1])
