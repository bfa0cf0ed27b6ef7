"""(a) What the Genesys documentation leads to: the official SDK, one thread, a subscription call per conversation.

Records are posted inline, over a connection that is kept open. Libraries are used with their defaults.
"""

from __future__ import annotations

import importlib
import json
import select
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.benchmarks.speed.rivals.record import SECRET, TOPICS, is_event, record_of, topic_of

# Not installed where types are checked.
sdk: Any = importlib.import_module("PureCloudPlatformClientV2")
gateway: Any = importlib.import_module("PureCloudPlatformClientV2.gateway_configuration")
urllib3: Any = importlib.import_module("urllib3")
websocket: Any = importlib.import_module("websocket")


def main(url: str, history: str, client: str, file: str) -> None:
    where = urlsplit(url)
    sdk.configuration.gateway_configuration = gateway.GatewayConfiguration(
        host=where.hostname, protocol="http", port=where.port
    )
    api = sdk.NotificationsApi(sdk.api_client.ApiClient().get_client_credentials_token(client, SECRET))
    sockets, room = [], 0
    conversations = Path(file).read_text(encoding="ascii").split()
    for conversation in [None, *conversations]:
        if not room:
            channel, room = api.post_notifications_channels(), TOPICS
            sockets.append(websocket.create_connection(channel.connect_uri))
        if conversation is not None:
            subscribe(api, channel.id, conversation)
            room -= 1
    http = urllib3.PoolManager()
    while True:
        for socket in select.select(sockets, [], [])[0]:
            message = json.loads(socket.recv())
            if is_event(message):
                http.request("POST", f"{history}/communicationRecords", json=record_of(message["eventBody"]))


def subscribe(api: Any, channel: str, conversation: str) -> None:
    topic = sdk.ChannelTopic()
    topic.id = topic_of(conversation)
    while True:
        try:
            api.post_notifications_channel_subscriptions(channel, [topic])
        except sdk.rest.ApiException as error:
            if error.status != 429:
                raise
            time.sleep(int(error.headers["Retry-After"]))
        else:
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
