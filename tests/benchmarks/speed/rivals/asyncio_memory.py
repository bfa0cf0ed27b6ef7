"""(c) asyncio: aiohttp and websockets, everything in memory. Subscribes in batches, posts eight records at a time."""

from __future__ import annotations

import asyncio
import importlib
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks.speed.rivals.record import SECRET, TOPICS, is_event, record_of, topic_of

# Not installed where types are checked.
aiohttp: Any = importlib.import_module("aiohttp")
orjson: Any = importlib.import_module("orjson")
websockets: Any = importlib.import_module("websockets")

_SENDERS = 8


async def main(url: str, history: str, client: str, file: str) -> None:
    waiting: asyncio.Queue[Any] = asyncio.Queue()
    async with aiohttp.ClientSession() as session:
        grant = {"grant_type": "client_credentials"}
        async with session.post(f"{url}/oauth/token", data=grant, auth=aiohttp.BasicAuth(client, SECRET)) as reply:
            token = (await reply.json())["access_token"]
        channels, bearer = f"{url}/api/v2/notifications/channels", {"Authorization": f"Bearer {token}"}
        conversations = Path(file).read_text(encoding="ascii").split()
        tasks = [asyncio.create_task(send(session, history, waiting)) for _ in range(_SENDERS)]
        for begin in range(0, max(1, len(conversations)), TOPICS):
            channel = await post(session, channels, bearer)
            socket = await websockets.connect(channel["connectUri"])
            tasks.append(asyncio.create_task(read(socket, waiting)))
            if topics := [{"id": topic_of(one)} for one in conversations[begin : begin + TOPICS]]:
                await post(session, f"{channels}/{channel['id']}/subscriptions", bearer, topics)
        await asyncio.gather(*tasks)


async def post(session: Any, url: str, headers: dict[str, str], body: object = None) -> Any:
    while True:
        async with session.post(url, json=body, headers=headers) as reply:
            if reply.status != 429:
                reply.raise_for_status()
                return await reply.json()
            await asyncio.sleep(int(reply.headers["Retry-After"]))


async def read(socket: Any, waiting: asyncio.Queue[Any]) -> None:
    async for text in socket:
        message = orjson.loads(text)
        if is_event(message):
            waiting.put_nowait(message["eventBody"])


async def send(session: Any, history: str, waiting: asyncio.Queue[Any]) -> None:
    headers = {"Content-Type": "application/json"}
    while True:
        body = orjson.dumps(record_of(await waiting.get()))
        async with session.post(f"{history}/communicationRecords", data=body, headers=headers) as reply:
            await reply.read()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
