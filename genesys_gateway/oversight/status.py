"""What an operator is shown of the whole service at one moment, the same by every instance.

Invariant: it holds no personal data, and no id but those of instances and channels.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """Whether each accepted conversation is accounted for: ``accepted = followed + closed``."""

    accepted: int
    followed: int
    closed: int
    #: conversations that are lost, and after-call works that were missed; 0 unless there is a bug
    unaccounted: int

    @property
    def kept(self) -> bool:
        """Whether nothing is lost."""
        return not self.unaccounted


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that is wrong now, and what to do about it."""

    #: one of the codes that operators and alarms know
    code: str
    #: when it began, in epoch milliseconds
    since: int
    #: what is wrong, with the figure: one sentence
    text: str
    #: what to do: one sentence with the anchor of the runbook entry
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceStatus:
    """One instance. Times are epoch milliseconds."""

    id: str
    #: running, draining, lost or left
    state: str
    #: when its lease ends
    lease_until: int | None
    #: number of its channels
    channels: int
    #: number of the conversations that it follows
    conversations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelStatus:
    """One notification channel of any instance. Times are epoch milliseconds."""

    id: str
    #: instance that holds it
    owner: str
    #: state of its socket, as ``channels.state`` names it
    state: str
    #: number of topics on it, and the maximum
    topics: int
    limit: int
    #: whether its socket is open
    connected: bool
    expires_at: int
    #: when its socket last brought a frame; before the first, when the channel was made
    last_frame_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Everything at one moment."""

    #: when the figures were read from the database, in epoch milliseconds
    at: int
    #: when it was put together, in epoch milliseconds; later than any before
    looked_at: int
    #: whether the figures were ever read; until then they mean nothing
    known: bool = True
    promise: Promise
    #: records waiting to be delivered
    backlog: int
    #: records given up
    dead: int
    #: conversations followed, but not covered by an open socket; without released ones
    uncovered: int
    #: conversations whose topic was given back, and whose last proof is awaited
    released: int
    #: the oldest first
    troubles: tuple[Trouble, ...]
    instances: tuple[InstanceStatus, ...]
    #: those of all instances
    channels: tuple[ChannelStatus, ...]
