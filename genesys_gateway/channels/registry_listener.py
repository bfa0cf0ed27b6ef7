"""What the registry reports to the parts that store it."""

from collections.abc import Callable
from dataclasses import dataclass

from genesys_gateway.domain.after_call_work import Acw, Unreadable
from genesys_gateway.genesys import ChannelGrant


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryListener:
    """The callbacks of the registry; they must return quickly."""

    #: an event arrived, or a frame that can't be read; the last argument is the frame itself
    notified: Callable[[Acw | Unreadable, bytes], None]
    #: these conversations are covered by the channel with this id from now on
    covered: Callable[[list[str], str], None]
    #: these conversations have not been covered since that time (epoch milliseconds)
    uncovered: Callable[[list[str], int], None]
    #: Genesys refuses this conversation's topic, for this reason
    rejected: Callable[[str, str], None]
    #: a channel was created and is not connected yet
    created: Callable[[ChannelGrant], None]
    #: the channel with this id is disconnected for good
    closed: Callable[[str], None]
