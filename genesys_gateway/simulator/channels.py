"""Notification channels: their owners, subscriptions and sockets, and the delivery of events.

Invariant: one dictionary look-up finds the channels of a topic, so that the cost of announcing an event does not depend
on the number of channels. No event is kept for a channel without a socket (F28).
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from genesys_gateway.simulator.clock import Clock, iso
from genesys_gateway.simulator.errors import ApiError, not_found
from genesys_gateway.simulator.faults import Faults
from genesys_gateway.simulator.ledger import Ledger
from genesys_gateway.simulator.oauth import Token
from genesys_gateway.simulator.odd_text import spoiled, with_value
from genesys_gateway.simulator.options import Options
from genesys_gateway.simulator.sender import Sender, frame, json_frame
from genesys_gateway.simulator.topics import conversation_of, kind_of


@dataclass(slots=True, eq=False, kw_only=True)
class Channel:
    """One channel with its subscriptions and its socket."""

    id: str
    token: Token
    #: Virtual seconds.
    expires: float
    #: A counter value that rises with every use of any channel; the lowest is the least recently used channel.
    last_use: int
    topics: dict[str, None] = field(default_factory=dict)
    sender: Sender | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicResult:
    """The result of subscribing one topic; `reason` is None on success."""

    topic: str
    reason: str | None = None
    missing: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Channels:
    """All channels of the organisation."""

    clock: Clock
    options: Options
    ledger: Ledger
    faults: Faults
    by_id: dict[str, Channel] = field(default_factory=dict)
    _listeners: dict[str, dict[Channel, None]] = field(default_factory=dict)
    _uses: int = 0

    def create(self, token: Token) -> Channel:
        """Create a channel. Beyond the limit (20), another channel of user and application is removed (F12).

        Channels without a socket are removed first, then the least recently used.
        """
        mine = [channel for channel in self.by_id.values() if channel.token.owner == token.owner]
        while len(mine) >= max(1, self.options.channel_limit):
            victim = min(mine, key=lambda channel: (channel.sender is not None, channel.last_use))
            mine.remove(victim)
            self.evict(victim)
        channel = Channel(
            id=f"streaming-0-{secrets.token_hex(14)}",
            token=token,
            expires=self.clock.virtual() + self.options.channel_seconds,
            last_use=self._next_use(),
        )
        self.by_id[channel.id] = channel
        self.clock.call_after(self.options.channel_seconds, lambda: self._check_expiry(channel))
        return channel

    def get(self, channel_id: str, token: Token) -> Channel:
        """The channel of an id. Another token's channel is as unknown as one that never existed (F13, F20).

        Raises:
            ApiError: 404 if the token has no such channel.
        """
        channel = self.find(channel_id)
        if channel is None or channel.token is not token:
            raise not_found("channel")
        return channel

    def find(self, channel_id: str) -> Channel | None:
        """The channel of an id, whatever its token; None if there is none or it has expired."""
        channel = self.by_id.get(channel_id)
        return channel if channel is not None and channel.expires > self.clock.virtual() else None

    def expires_iso(self, channel: Channel) -> str:
        return iso(self.clock.wall_at(channel.expires))

    def add(self, channel: Channel, topics: Iterable[object], *, ignore_errors: bool) -> list[TopicResult]:
        """Add topics to the subscriptions, as POST does (F16).

        Raises:
            ApiError: Too many topics, or one is rejected without `ignore_errors` (F19 to F21); nothing was changed.
        """
        results = self._check_topics(channel, topics, ignore_errors=ignore_errors)
        self._check_topic_limit(len(channel.topics.keys() | {r.topic for r in results if r.reason is None}))
        for result in results:
            if result.reason is None and not self.faults.trigger(
                "forget_topics", topic=result.topic, channel=channel.id
            ):
                self._subscribe(channel, result.topic)
        self._extend(channel)
        return results

    def replace(self, channel: Channel, topics: Iterable[object], *, ignore_errors: bool) -> list[TopicResult]:
        """Replace all subscriptions, as PUT does (F16). Raises like `add`."""
        results = self._check_topics(channel, topics, ignore_errors=ignore_errors)
        wanted = {result.topic for result in results if result.reason is None}
        self._check_topic_limit(len(wanted))
        self.remove(channel, [topic for topic in channel.topics if topic not in wanted])
        for topic in (result.topic for result in results if result.reason is None):
            if not self.faults.trigger("forget_topics", topic=topic, channel=channel.id):
                self._subscribe(channel, topic)
        self._extend(channel)
        return results

    def remove(self, channel: Channel, topics: Iterable[str]) -> None:
        for topic in [topic for topic in topics if topic in channel.topics]:
            del channel.topics[topic]
            listeners = self._listeners.get(topic)
            if listeners is not None:
                listeners.pop(channel, None)
                if not listeners:
                    del self._listeners[topic]
            if channel.sender is not None:
                self._record_unheard((topic,))

    def publish(self, topic: str, message: Mapping[str, Any]) -> int:
        """Write an event to all subscribed sockets and return their number. With none, the event is lost (F28)."""
        listeners = self._listeners.get(topic)
        if not listeners:
            return 0
        data = self._frame(topic, message)
        senders = [channel.sender for channel in listeners if channel.sender is not None]
        return sum(self._deliver(sender, topic, data) for sender in senders)

    def _frame(self, topic: str, message: Mapping[str, Any]) -> bytes:
        fault = self.faults.trigger("odd_text", view="event", topic=topic, conversation=conversation_of(topic))
        if fault is None:
            return json_frame(message)
        return frame(with_value(message, "eventBody", spoiled(message["eventBody"], fault.params)))

    def attach(self, channel: Channel, sender: Sender) -> None:
        """Register an opened socket. The former one is disconnected (F25), the subscriptions stay (F26)."""
        former, channel.sender = channel.sender, sender
        channel.last_use = self._next_use()
        self.record_socket(channel, "opened")
        if former is None:
            self._record_listening(channel, channel.topics)
        else:
            self.record_socket(channel, "kicked", "another socket was opened")
            former.close(1000, "another socket was opened")

    def detach(self, channel: Channel, sender: Sender) -> None:
        if channel.sender is sender:
            channel.sender = None
            self._record_unheard(channel.topics)
        self.record_socket(channel, "closed")

    def evict(self, channel: Channel) -> None:
        """Remove a channel because the limit is exceeded (F12)."""
        client, connected = channel.token.client.id, channel.sender is not None
        self.ledger.record_eviction(self.clock.wall(), channel.id, client, connected=connected)
        self.end(channel, "evicted")

    def end(self, channel: Channel, why: str) -> None:
        """Remove a channel and its subscriptions, and close its socket."""
        self.by_id.pop(channel.id, None)
        self.remove(channel, channel.topics)
        if channel.sender is not None:
            self.record_socket(channel, "ended", why)
            channel.sender.close(1000, why)

    def record_socket(self, channel: Channel, event: str, detail: str | None = None) -> None:
        """Record what happened to the socket of a channel."""
        self.ledger.record_socket(self.clock.wall(), channel.id, channel.token.client.id, event, detail)

    def end_with_token(self, token: Token, *, revoked: bool) -> None:
        """Remove the channels of a token that has ended (F15). A revocation is announced first (F30)."""
        for channel in [c for c in self.by_id.values() if c.token is token]:
            if revoked:
                self.notify(channel, "token_revoked", {"reason": "user_tokens_revoked"})
            self.end(channel, "its token was revoked" if revoked else "its token expired")

    def unsubscribe_with_notice(self, channel: Channel, topic: str, reason: str) -> None:
        """Unsubscribe a topic without a request of the client, and notify the client (F30)."""
        self.remove(channel, [topic])
        named = {} if self.options.notices_name_channel else {"topicName": topic}
        self.notify(channel, "no_longer_subscribed", {**named, "channelId": channel.id, "reason": reason})

    def notify(self, channel: Channel, kind: str, body: Mapping[str, object]) -> None:
        """Send a system notice over the channel's socket, if one is open (F29, F30)."""
        behind = f".{channel.id}" if self.options.notices_name_channel else ""
        if channel.sender is not None:
            channel.sender.send({"topicName": f"v2.system.{kind}{behind}", "eventBody": body})

    def _deliver(self, sender: Sender, topic: str, data: bytes) -> int:
        faults = self.faults
        if not faults.any_active:
            sender.push(data)
            return 1
        subject = {"channel": sender.channel, "topic": topic}
        if faults.trigger("lose_events", **subject):
            return 0
        if fault := faults.trigger("duplicate_events", **subject):
            for _ in range(int(fault.number("times", 2)) - 1):
                self._push_later(fault.number("delaySeconds", 0), sender, data)
        if fault := faults.trigger("delay_events", **subject):
            self._push_later(fault.number("delaySeconds", 1), sender, data)
        elif fault := faults.trigger("reorder_events", **subject):
            self._push_later(random.uniform(0, fault.number("delaySeconds", 2)), sender, data)
        else:
            sender.push(data)
        return 1

    def _push_later(self, seconds: float, sender: Sender, data: bytes) -> None:
        self.clock.call_after(seconds, lambda: sender.push(data))

    def _check_topics(self, channel: Channel, topics: Iterable[object], *, ignore_errors: bool) -> list[TopicResult]:
        results = [self._check_topic(channel, topic) for topic in topics]
        for result in results:
            if result.reason is not None and not ignore_errors:
                raise _topic_error(result)
        return results

    def _check_topic(self, channel: Channel, topic: object) -> TopicResult:
        kind = kind_of(topic)
        if kind is None:
            return TopicResult(topic=str(topic), reason="notification.invalid.topic")
        name = str(topic)
        if "Websocket" not in kind.transports:
            return TopicResult(topic=name, reason="notification.transport.not.allowed")
        missing = tuple(p for p in kind.permissions if p not in channel.token.client.permissions)
        if missing or self.faults.trigger("reject_topics", topic=name, channel=channel.id):
            return TopicResult(topic=name, reason="missing.permissions", missing=missing or kind.permissions)
        return TopicResult(topic=name)

    def _check_topic_limit(self, count: int) -> None:
        if count > self.options.topic_limit:
            raise ApiError(
                400,
                "notification.subscription.too.many.subscriptions",
                f"A channel can have at most {self.options.topic_limit} subscriptions, not {count}.",
            )

    def _subscribe(self, channel: Channel, topic: str) -> None:
        if self.options.exclusive_topics:
            for other in [c for c in self._listeners.get(topic, ()) if c.token.owner == channel.token.owner]:
                if other is not channel:
                    self.unsubscribe_with_notice(other, topic, "another_channel_subscribed")
        if topic in channel.topics:
            return
        channel.topics[topic] = None
        self._listeners.setdefault(topic, {})[channel] = None
        self._record_listening(channel, (topic,))

    def _record_listening(self, channel: Channel, topics: Iterable[str]) -> None:
        now = self.clock.wall()
        for topic in topics if channel.sender is not None else ():
            self.ledger.record_listening(topic, self._open_sockets(topic), now)

    def _record_unheard(self, topics: Iterable[str]) -> None:
        """Record that these topics have lost an open socket."""
        now = self.clock.wall()
        for topic in topics:
            self.ledger.record_unheard(topic, self._open_sockets(topic), now)

    def _open_sockets(self, topic: str) -> int:
        return sum(channel.sender is not None for channel in self._listeners.get(topic, ()))

    def _extend(self, channel: Channel) -> None:
        # Genesys docs: subscribing again restarts the channel's 24 hours (F14).
        channel.expires = self.clock.virtual() + self.options.channel_seconds
        channel.last_use = self._next_use()

    def _check_expiry(self, channel: Channel) -> None:
        if self.by_id.get(channel.id) is not channel:
            return
        left = channel.expires - self.clock.virtual()
        if left <= 0:
            self.end(channel, "expired")
        else:
            self.clock.call_after(left, lambda: self._check_expiry(channel))

    def _next_use(self) -> int:
        self._uses += 1
        return self._uses


def _topic_error(result: TopicResult) -> ApiError:
    if result.reason == "missing.permissions":
        message = f"You are missing the following permission(s): {', '.join(result.missing)}"
        return ApiError(403, "missing.permissions", f"Unable to subscribe to {result.topic}. {message}")
    return ApiError(400, str(result.reason), f"The topic {result.topic} can't be subscribed over this transport.")
