"""(d) The limit of our own libraries under gevent: read, parse, post by eight senders. Stores nothing."""
# ruff: noqa: E402 - nothing may be imported before the patching

from gevent import monkey

monkey.patch_all()

import sys
from pathlib import Path
from typing import Any

import gevent
import orjson
import requests
import websocket
from gevent.queue import Queue
from requests.adapters import HTTPAdapter

from tests.benchmarks.speed.rivals.record import SECRET, TOPICS, is_event, record_of, topic_of

_SENDERS = 8


def main(url: str, history: str, client: str, file: str) -> None:
    session, waiting = requests.Session(), Queue[Any]()
    session.trust_env = False
    session.mount("http://", HTTPAdapter(pool_maxsize=_SENDERS))
    grant = {"grant_type": "client_credentials"}
    token = session.post(f"{url}/oauth/token", data=grant, auth=(client, SECRET)).json()["access_token"]
    channels, bearer = f"{url}/api/v2/notifications/channels", {"Authorization": f"Bearer {token}"}
    conversations = Path(file).read_text(encoding="ascii").split()
    greenlets: list[Any] = [gevent.spawn(send, session, history, waiting) for _ in range(_SENDERS)]
    for begin in range(0, max(1, len(conversations)), TOPICS):
        channel = session.post(channels, headers=bearer).json()
        options: dict[str, Any] = {"skip_utf8_validation": True, "enable_multithread": False}
        greenlets.append(gevent.spawn(read, websocket.create_connection(channel["connectUri"], **options), waiting))
        if topics := [{"id": topic_of(one)} for one in conversations[begin : begin + TOPICS]]:
            session.post(f"{channels}/{channel['id']}/subscriptions", json=topics, headers=bearer).raise_for_status()
    gevent.joinall(greenlets, raise_error=True)


def read(socket: websocket.WebSocket, waiting: "Queue[Any]") -> None:
    while True:
        message = orjson.loads(socket.recv_data_frame()[1].data)
        if is_event(message):
            waiting.put(message["eventBody"])


def send(session: requests.Session, history: str, waiting: "Queue[Any]") -> None:
    headers = {"Content-Type": "application/json"}
    while True:
        body = orjson.dumps(record_of(waiting.get()))
        session.post(f"{history}/communicationRecords", data=body, headers=headers)


if __name__ == "__main__":
    main(*sys.argv[1:])
