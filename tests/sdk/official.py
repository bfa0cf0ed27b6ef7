"""The official Genesys SDK against the simulator: `python official.py URL`, in a venv that has it.

PureCloudPlatformClientV2 was written for the real thing; what it can read is shaped right.
"""

from __future__ import annotations

import base64
import importlib
import json
import sys
import urllib.request
from typing import Any
from urllib.parse import urlsplit

# Not installed where types are checked.
sdk: Any = importlib.import_module("PureCloudPlatformClientV2")
websocket: Any = importlib.import_module("websocket")

CLIENT = ("simulator-client", "simulator-secret")


def control(url: str, path: str, body: object) -> Any:
    request = urllib.request.Request(f"{url}/_sim/{path}", json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


def point_at(url: str) -> None:
    parts = urlsplit(url)
    gateway: Any = importlib.import_module("PureCloudPlatformClientV2.gateway_configuration")
    sdk.configuration.gateway_configuration = gateway.GatewayConfiguration(
        host=parts.hostname, protocol="http", port=parts.port
    )


def main(url: str) -> None:
    point_at(url)
    client = sdk.api_client.ApiClient()
    by_saml = client.get_saml2bearer_token(*CLIENT, "simulator-org", base64.b64encode(b"<x/>").decode()).access_token
    api_client = sdk.api_client.ApiClient().get_client_credentials_token(*CLIENT)
    assert by_saml != api_client.access_token
    told("tokens by both grants")

    notifications = sdk.NotificationsApi(api_client)
    channel = notifications.post_notifications_channels()
    assert channel.expires.year >= 2026
    assert [one.id for one in notifications.get_notifications_channels().entities] == [channel.id]
    told(f"channel {channel.id} made and listed, expires {channel.expires}")

    call = control(url, "conversations", {"mediaType": "VOICE"})
    topic = f"v2.detail.events.conversation.{call['conversationId']}.acw"
    wanted = sdk.ChannelTopic()
    wanted.id = topic
    answer = notifications.post_notifications_channel_subscriptions(channel.id, [wanted], ignore_errors=True)
    assert [(one.id, one.state) for one in answer.entities] == [(topic, "Permitted")]
    listed = notifications.get_notifications_channel_subscriptions(channel.id)
    assert [one.id for one in listed.entities] == [topic]
    topics = notifications.get_notifications_availabletopics(expand=["requiresPermissions", "transports"])
    assert any(one.id.endswith("{id}.acw") for one in topics.entities)
    told("subscribed, listed, available topics read")

    socket = websocket.create_connection(channel.connect_uri, timeout=10)
    control(url, f"conversations/{call['conversationId']}/wrapup", {"notes": "by the SDK"})
    event = json.loads(socket.recv())
    model = sdk.AcwDetailEventTopicAfterCallWorkEvent
    unknown = set(event["eventBody"]) - set(model().attribute_map.values())
    assert not unknown, unknown
    socket.close()
    told(f"event received; the SDK knows all {len(event['eventBody'])} fields of it")

    read_conversation(api_client, call, event["eventBody"])
    read_analytics(api_client, call)
    assert sdk.UsersApi(api_client).get_user(call["userId"]).name == "Maria Cruz"
    code = event["eventBody"]["wrapupCode"]
    assert sdk.RoutingApi(api_client).get_routing_wrapupcode(code).name == "Billing question"
    assert sdk.TokensApi(api_client).get_tokens_me().organization.name == "simulator-org"
    told("names and token read")


def read_conversation(api_client: Any, call: Any, event: Any) -> None:
    conversation = sdk.ConversationsApi(api_client).get_conversation(call["conversationId"])
    agent = next(one for one in conversation.participants if one.purpose == "agent")
    assert (agent.id, agent.calls[0].id) == (event["participantId"], event["sessionId"])
    assert agent.calls[0].after_call_work.state == "complete"
    assert agent.wrapup.notes == "by the SDK"
    told("conversation read")


def read_analytics(api_client: Any, call: Any) -> None:
    api = sdk.AnalyticsApi(api_client)
    details = api.get_analytics_conversation_details(call["conversationId"])
    (session,) = (s for p in details.participants if p.user_id for s in p.sessions)
    assert session.session_id == call["sessionId"]
    assert [s.wrap_up_note for s in session.segments if s.segment_type == "wrapup"] == ["by the SDK"]
    assert api.get_analytics_conversations_details(id=[call["conversationId"]]).conversations
    query = sdk.ConversationQuery()
    query.interval = "2020-01-01T00:00:00.000Z/2999-01-01T00:00:00.000Z"
    assert api.post_analytics_conversations_details_query(query).total_hits == 1
    told("analytics read: one, in bulk, by query")


def told(what: str) -> None:
    sys.stdout.write(f"  official SDK: {what}\n")


if __name__ == "__main__":
    main(sys.argv[1])
