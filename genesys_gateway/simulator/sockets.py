"""The reading side of one WebSocket: heartbeats, pings, subscribe and unsubscribe messages, the closing notice.

Invariant: reading never waits for handling, so that the ledger shows the end of a connection at once, even while the
fault `freeze` holds up the handling of messages.
"""

from __future__ import annotations

import socket
from typing import Any

import gevent
import orjson
from gevent.queue import Queue
from geventwebsocket.websocket import WebSocket, WebSocketError  # type: ignore[import-untyped]  # it has no types

from genesys_gateway.simulator.channels import Channel, Channels
from genesys_gateway.simulator.errors import ApiError
from genesys_gateway.simulator.sender import Sender, close_frame, pong_frame

METADATA = "channel.metadata"
_FROZEN_POLL_SECONDS = 0.05
#: How long messages that were read are still handled after the connection has ended, in seconds.
_DRAIN_SECONDS = 2.0


def serve(channels: Channels, channel: Channel, websocket: WebSocket, sock: socket.socket) -> None:
    """Serve one client until either side ends the connection. Blocks; runs in the connection's own greenlet."""
    sender = Sender(sock, channel.id, channels.faults)
    reader = gevent.getcurrent()
    sender.on_drop = lambda: gevent.kill(reader, ConnectionResetError("cut"))
    frames: Queue[tuple[Any, bytes] | None] = Queue()
    handler = gevent.spawn(_handle_frames, channels, channel, sender, frames)
    channels.attach(channel, sender)
    _schedule_heartbeat(channels, channel, sender)
    try:
        _read_frames(websocket, frames)
    except (WebSocketError, OSError):
        pass  # the connection is gone: an ordinary end here
    finally:
        websocket.closed = True  # otherwise its destructor would write a second close frame, bypassing the sender
        channels.detach(channel, sender)
        frames.put(None)
        handler.join(_DRAIN_SECONDS)
        handler.kill()
        sender.finish()


def announce_closing(channels: Channels, channel: Channel, seconds: float) -> None:
    """Announce that the socket will be closed, and close it after `seconds` (F29). Channel and subscriptions stay."""
    sender = channel.sender
    if sender is None:
        return
    message = f"This websocket will be closed in {round(channels.clock.wall_seconds(seconds))} seconds"
    channels.notify(channel, "socket_closing", {"message": message})
    channels.record_socket(channel, "closing_announced")
    channels.clock.call_after(seconds, lambda: sender.close(1001, "planned"))


def _read_frames(websocket: WebSocket, frames: Queue[tuple[Any, bytes] | None]) -> None:
    """Queue incoming frames until a close frame arrives."""
    while True:
        header, payload = websocket.read_frame()
        frames.put((header, bytes(payload)))
        if header.opcode == websocket.OPCODE_CLOSE:
            return


def _handle_frames(
    channels: Channels, channel: Channel, sender: Sender, frames: Queue[tuple[Any, bytes] | None]
) -> None:
    """Assemble messages from frames and handle them one after another."""
    message = bytearray()
    for header, payload in iter(frames.get, None):
        while channels.faults.find("freeze", channel=channel.id):
            gevent.sleep(_FROZEN_POLL_SECONDS)
        if header.opcode == WebSocket.OPCODE_CLOSE:
            sender.push(close_frame(payload))
        elif header.opcode == WebSocket.OPCODE_PING:
            sender.push(pong_frame(payload))
        elif header.opcode != WebSocket.OPCODE_PONG:
            message += payload
            if header.fin:
                _handle_message(channels, channel, sender, bytes(message))
                message.clear()


def _handle_message(channels: Channels, channel: Channel, sender: Sender, text: bytes) -> None:
    try:
        message = orjson.loads(text)
    except ValueError:
        message = None
    kind = message.get("message") if isinstance(message, dict) else None
    if kind == "ping":
        # Genesys docs: {"message": "ping"} is answered with a pong on channel.metadata (F34).
        if not channels.faults.trigger("no_pong", channel=channel.id):
            sender.send({"topicName": METADATA, "eventBody": {"message": "pong"}})
    elif kind in ("subscribe", "unsubscribe"):
        _change_subscriptions(channels, channel, sender, message)
    else:
        sender.send(_reply(channels, {}, "400", "failure", "Message not understood."))


def _change_subscriptions(channels: Channels, channel: Channel, sender: Sender, message: dict[str, Any]) -> None:
    """Subscribe or unsubscribe over the socket (F31). The reply has no topicName (F32)."""
    if fault := channels.faults.trigger("refuse_reply", channel=channel.id):
        result = str(fault.params.get("result", "400"))
        reply = _reply(channels, message, result, "failure", "Refused.")
    elif channels.find(channel.id) is None:
        # Genesys docs: "404" if the channel expired or was evicted, or if its token has ended (F32).
        reply = _reply(channels, message, "404", "failure", "Channel not found.")
    else:
        reply = _apply(channels, channel, message)
    if not channels.faults.trigger("no_reply", channel=channel.id):
        sender.send(reply)


def _apply(channels: Channels, channel: Channel, message: dict[str, Any]) -> dict[str, Any]:
    topics = message.get("topics")
    if not isinstance(topics, list) or not topics:
        return _reply(channels, message, "400", "failure", "No topics.")
    if message["message"] == "unsubscribe":
        channels.remove(channel, [str(topic) for topic in topics])
        return _reply(channels, message, "200", "unsubscribed", "Successfully unsubscribed from topic(s).")
    try:
        channels.add(channel, topics, ignore_errors=False)
    except ApiError as error:
        return _reply(channels, message, "400", "failure", error.message)
    return _reply(channels, message, "200", "subscribed", "Successfully subscribed to topic(s).")


def _reply(channels: Channels, request: dict[str, Any], result: str, status: str, text: str) -> dict[str, Any]:
    reply: dict[str, Any] = {"topics": request.get("topics", []), "result": result, "status": status, "message": text}
    if "correlationId" in request and channels.options.reply_correlation:
        reply["correlationId"] = request["correlationId"]
    return reply


def _schedule_heartbeat(channels: Channels, channel: Channel, sender: Sender) -> None:
    channels.clock.call_after(channels.options.heartbeat_seconds, lambda: _send_heartbeat(channels, channel, sender))


def _send_heartbeat(channels: Channels, channel: Channel, sender: Sender) -> None:
    """Send a heartbeat, about every 30 s, as long as this socket is the channel's current one (F27)."""
    if channel.sender is not sender:
        return
    if not channels.faults.trigger("no_heartbeat", channel=channel.id):
        sender.send({"topicName": METADATA, "eventBody": {"message": "WebSocket Heartbeat"}})
    _schedule_heartbeat(channels, channel, sender)
