"""(b) The same as (a) without the SDK: requests and websocket-client, one thread, a call per conversation.

One session, so that connections are kept open. Libraries are used with their defaults.
"""

from __future__ import annotations

import json
import select
import sys
import time
from pathlib import Path
from typing import Any

import requests
import websocket

from tests.benchmarks.speed.rivals.record import SECRET, TOPICS, is_event, record_of, topic_of


def main(url: str, history: str, client: str, file: str) -> None:
    api, records = requests.Session(), requests.Session()
    grant = {"grant_type": "client_credentials"}
    token = requests.post(f"{url}/oauth/token", data=grant, auth=(client, SECRET), timeout=5).json()["access_token"]
    api.headers["Authorization"] = f"Bearer {token}"
    sockets: list[Any] = []
    room, channels = 0, f"{url}/api/v2/notifications/channels"
    conversations = Path(file).read_text(encoding="ascii").split()
    for conversation in [None, *conversations]:
        if not room:
            channel, room = post(api, channels), TOPICS
            sockets.append(websocket.create_connection(channel["connectUri"]))
        if conversation is not None:
            post(api, f"{channels}/{channel['id']}/subscriptions", [{"id": topic_of(conversation)}])
            room -= 1
    while True:
        for socket in select.select(sockets, [], [])[0]:
            message = json.loads(socket.recv())
            if is_event(message):
                records.post(f"{history}/communicationRecords", json=record_of(message["eventBody"]), timeout=5)


def post(api: requests.Session, url: str, body: object = None) -> Any:
    while (reply := api.post(url, json=body, timeout=5)).status_code == 429:
        time.sleep(int(reply.headers["Retry-After"]))
    reply.raise_for_status()
    return reply.json()


if __name__ == "__main__":
    main(*sys.argv[1:])
