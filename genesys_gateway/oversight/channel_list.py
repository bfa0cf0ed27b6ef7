"""Lists the channels of this instance as operators see them.

Invariant: nothing waits, and nothing is changed.
"""

from collections.abc import Iterable

from genesys_gateway.channels.channel import Channel
from genesys_gateway.oversight.status import ChannelStatus


def channel_list(channels: Iterable[Channel], *, owner: str, limit: int) -> list[ChannelStatus]:
    """Describe channels, oldest first.

    Args:
        owner: The instance that holds them.
        limit: Maximum number of topics on each.
    """
    return [
        ChannelStatus(
            id=one.id,
            owner=owner,
            state=one.state.value,
            topics=one.size,
            limit=limit,
            connected=one.listening,
            expires_at=one.ends_at,
            last_frame_at=one.last_frame_at,
        )
        for one in channels
    ]
