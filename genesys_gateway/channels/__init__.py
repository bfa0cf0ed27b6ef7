"""Notification channels: which conversation's topic is on which channel, and that a WebSocket listens to it.

Invariant: a conversation has one home channel; a channel has one socket and one writer of its topic list; never more
channels are connected than the budget allows.

How it works:

**Placement.** A followed conversation waits until the placement greenlet gives it a home: the fullest channel with free
places, so that the others become empty. If there is none, one new channel is made, however many conversations wait. A
channel without a topic is closed after ``GATEWAY_CHANNEL_IDLE_SECONDS``. Conversations wait in the order of their
registration; those that lost their channel go first.

**Writer.** Each channel has one greenlet that changes its list at Genesys. *Desired* is what the list shall hold,
*confirmed* is what the server reported it holds. One change is in flight at a time: additions over HTTP, removals over
the socket, where they cost no call. If it is not known whether a change was made (no reply, for example), the writer
replaces the whole list by the desired one and reads it back before the next change. If Genesys refuses a call as a
whole, the writer halves the batch until it finds the cause. A refused topic waits, longer after each refusal, and
delays no other. If the list is full, conversations without a place are placed on another channel.

**Batching.** An addition waits briefly for others, so that a burst of thousands costs a handful of calls. While calls
are scarce (:mod:`genesys_gateway.genesys.load`), at most one channel a second gets new topics: the emptiest, and all
that have arrived meanwhile. One by one on the fullest, they would spread over all channels that have just lost a topic,
at a call each. Only a channel that they fill whole is filled at once, so that a start with thousands takes no longer.

**Reader.** Another greenlet reads the socket: it passes events upward, and replies to the writer. A third sends a ping
after three eighths of ``GATEWAY_HEARTBEAT_SECONDS`` without a frame, and ends the socket after the whole time.

**Reconnect and handover.** A *reconnect* follows a loss: a new socket on the same channel, whose list Genesys has kept;
it is read before it counts. After three losses in a row, or when Genesys no longer accepts the channel, its
conversations are placed anew. A *handover* is planned, when the server announces the close or the end of the channel or
its token is near: a successor subscribes everything and reads its list back, then the topics move, and the old socket
is read for an overlap. Both sockets may deliver the same event; the outbox keeps one. If a handover fails, everything
stays on the old channel, as long as that can be used.

**Budget.** A channel counts from the call that creates it until its last socket is closed, also between two sockets.
The last place in the budget is kept for handovers. Instances that share an OAuth client reserve each place in the
database before that call (ADR 0027); a channel that is gone is replaced in its place without the database.
Conversations that no channel can take wait; meanwhile only reconciliation finds their events. A place that becomes free
is given away within a second; while calls are scarce, one channel's free places in each second.

**Coverage.** A conversation is uncovered when its channel's socket is lost (since the last frame), when its topic is
missing from the list (at worst since the last audit), or when a successor took over without it. It is covered again
when the server confirms its topic on its home channel while that channel's socket is open.

**Drain and reset.** When an instance stops, others subscribe its topics first. Genesys takes a topic off our list when
another channel of the same client gets it; so nothing is added or repaired during a *drain*, and a channel is closed
when others cover all that it carried. When the lease of an instance is lost, a *reset* closes all its sockets at once.

The files, in reading order:

    registry             ChannelRegistry, the singleton: which conversation is on which channel
    registry_listener    what it reports
    placement            decides which channel gets the conversations that wait, and when
    creation             creates channels within the budget, and pauses after failures
    budget               grants places for channels: counted in this process
    shared_budget        the same, for several instances: reserved in the database
    channel              one channel: its socket, its reader, and what ends a silent socket
    state                the states of a channel, as a table
    topic_writer         the only writer of a channel's topic list
    topic_list           desired and confirmed topics, and their difference
    batching             decides when the next call is made, so that a burst costs few calls
    unsubscription       takes topics off the list over the socket
    topic_refusals       topics that Genesys refused or took off the list, and when each may be requested again
    system_notices       counts what Genesys says unasked about channels, and logs unknown kinds once
    handover             moves a channel's topics to a successor, make before break
"""

from genesys_gateway.channels.channel import ChannelContext
from genesys_gateway.channels.registry import ChannelRegistry
from genesys_gateway.channels.registry_listener import RegistryListener
from genesys_gateway.channels.shared_budget import SharedBudget

__all__ = ["ChannelContext", "ChannelRegistry", "RegistryListener", "SharedBudget"]
