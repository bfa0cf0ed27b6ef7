"""Notification channels: which conversation's topic is on which channel, and that a WebSocket listens to it.

Invariant: a conversation has one home channel; a channel has one socket and one writer of its topic list; no more
channels are connected than the budget allows.

The files, in reading order:

    registry             ChannelRegistry, the singleton: which conversation is on which channel
    channel              one channel: its socket, its reader, its watch
    state                the states of a channel, as a table
    topic_writer         the only writer of a channel's topic list: desired against confirmed topics
    batching             collects additions, so that a burst costs few calls
    unsubscription       takes topics off the list over the socket
    topic_refusals       topics that Genesys refused, and when to ask for each again
    handover             topics move to a successor, make before break
"""

from genesys_gateway.channels.channel import ChannelContext
from genesys_gateway.channels.registry import ChannelRegistry, RegistryListener

__all__ = ["ChannelContext", "ChannelRegistry", "RegistryListener"]
