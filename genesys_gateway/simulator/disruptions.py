"""Immediate harm to channels and sockets; faults, in contrast, stay on and wait for their subject.

Each disruption is an action under `/_sim/channels`. It also has a fault name, so that a test can start both kinds in
the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from genesys_gateway.simulator.channels import Channel
from genesys_gateway.simulator.errors import ControlError
from genesys_gateway.simulator.sender import frame
from genesys_gateway.simulator.sockets import announce_closing
from genesys_gateway.simulator.world import World

Body = Mapping[str, Any]

#: Frames that a client must survive, by name.
GARBAGE: Mapping[str, Callable[[Body], bytes]] = {
    "text": lambda body: str(body.get("text", "{not json")).encode(),
    "huge": lambda body: b'{"topicName":"x","eventBody":{"a":"' + b"a" * int(body.get("bytes", 2_000_000)) + b'"}}',
    "deep": lambda body: b"[" * int(body.get("depth", 100_000)),
    "not-utf8": lambda _: b'{"topicName":"\xff\xfe"}',
    "nul": lambda _: b'{"topicName":"channel.metadata","eventBody":{"message":"a\\u0000b"}}',
    "array": lambda _: b"[]",
    "number": lambda _: b"42",
    "empty": lambda _: b"",
}


#: Fault name -> action and its default parameters. The action is applied to the channels that match `channel`.
IMMEDIATE: Mapping[str, tuple[str, Body]] = {
    "socket_drop": ("drop", {}),
    "socket_close": ("close", {"goodbye": True}),
    "closing_notice": ("close", {"notice": True}),
    "garbage_frame": ("send", {"garbage": "text"}),
    "huge_frame": ("send", {"garbage": "huge"}),
    "deep_frame": ("send", {"garbage": "deep"}),
    "evict": ("evict", {}),
    "expire": ("expire", {}),
    "lose_topics": ("lose-topics", {}),
    "no_longer_subscribed": ("take-topic", {}),
}

IMMEDIATE_NAMES = (*IMMEDIATE, "revoked_token", "receiver")


def disrupt_now(world: World, name: str, body: Body) -> dict[str, Any]:
    """Apply an immediate fault, and return which channels or tokens it affected.

    Raises:
        ControlError: The parameters are invalid.
    """
    if name == "revoked_token":
        tokens = list(world.login.tokens.values())
        for token in tokens:
            world.login.revoke(token)
        return {"name": name, "tokens": len(tokens)}
    if name == "receiver":
        world.receiver.set_behaviour(body)
        return {"name": name, "mode": world.receiver.behaviour.mode}
    action, defaults = IMMEDIATE[name]
    pattern = str(body.get("channel", "*"))
    chosen = [channel for channel in world.channels.by_id.values() if fnmatchcase(channel.id, pattern)]
    for channel in chosen:
        if action != "send" or channel.sender is not None:
            _ACTIONS[action](world, channel, {**defaults, **body})
    return {"name": name, "channels": [channel.id for channel in chosen]}


def disrupt_channels(world: World, channel_id: str, action: str, body: Body) -> dict[str, Any]:
    """Apply an action to one channel, or to every channel if the id is `all`.

    Raises:
        ControlError: The action or the channel is unknown, or the parameters are invalid.
    """
    disrupt = _ACTIONS.get(action)
    if disrupt is None:
        raise ControlError(f"no such deed; there are {', '.join(_ACTIONS)}", status=404)
    channels = world.channels.by_id
    chosen = list(channels.values()) if channel_id == "all" else [c for c in [channels.get(channel_id)] if c]
    if not chosen:
        raise ControlError("no such channel", status=404)
    for channel in chosen:
        disrupt(world, channel, body)
    return {"done": action, "channels": [channel.id for channel in chosen]}


def _close(world: World, channel: Channel, body: Body) -> None:
    """Close the socket: with notice, `afterSeconds` (60) after the notice (F29); otherwise at once.

    `goodbye` sends a close frame; without it the connection is reset.
    """
    if body.get("notice"):
        announce_closing(world.channels, channel, float(body.get("afterSeconds", world.options.closing_seconds)))
    elif body.get("goodbye") and channel.sender is not None:
        channel.sender.close(int(body.get("code", 1001)), "closed by control")
    else:
        _drop(world, channel, body)


def _drop(world: World, channel: Channel, _: Body) -> None:
    if channel.sender is not None:
        world.channels.record_socket(channel, "dropped")
        channel.sender.drop()


def _evict(world: World, channel: Channel, _: Body) -> None:
    world.channels.evict(channel)


def _expire(world: World, channel: Channel, _: Body) -> None:
    world.channels.end(channel, "expired")


def _lose_topics(world: World, channel: Channel, body: Body) -> None:
    """Remove subscriptions without notifying the client, so that client and server no longer agree."""
    world.channels.remove(channel, body.get("topics") or channel.topics)


def _take_topic(world: World, channel: Channel, body: Body) -> None:
    """Unsubscribe topics and notify the client, as happens when another channel subscribes them (F30)."""
    for topic in list(body.get("topics") or channel.topics):
        world.channels.unsubscribe_with_notice(
            channel, str(topic), str(body.get("reason", "another_channel_subscribed"))
        )


def _send(_: World, channel: Channel, body: Body) -> None:
    """Write a frame: `json` once as it is, or the frame named by `garbage` as often as `times` says."""
    if channel.sender is None:
        raise ControlError("no socket is open on that channel", status=409)
    if "json" in body:
        channel.sender.send(body["json"])
        return
    kind = str(body.get("garbage", "text"))
    if kind not in GARBAGE:
        raise ControlError(f"no such garbage; there are {', '.join(GARBAGE)}")
    for _number in range(int(body.get("times", 1))):
        channel.sender.push(frame(GARBAGE[kind](body)))


_ACTIONS: Mapping[str, Callable[[World, Channel, Body], None]] = {
    "close": _close,
    "drop": _drop,
    "evict": _evict,
    "expire": _expire,
    "lose-topics": _lose_topics,
    "take-topic": _take_topic,
    "send": _send,
}
