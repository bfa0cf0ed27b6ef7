"""What the channels bring, and the queue in which it waits to be stored.

Invariant: what is about one conversation leaves the queue in order of arrival. Arrivals of a conversation that another
transaction has locked wait by themselves, and hold up those of no other conversation.
"""

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf

from genesys_gateway.domain.after_call_work import Acw, AcwEvent, Unreadable

#: Maximum number of arrivals in one transaction. More could take longer than the storage lets a job take. On a slow
#: database even fewer can: the number is halved by each failure, down to the second one, and doubled by each success.
_BATCH, _SMALL_BATCH = 256, 8
#: Maximum number of coverage changes in one transaction, counted per conversation.
_BATCH_WEIGHT = 2000
#: First and longest pause, in seconds, before a locked conversation is tried again.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """An event, or a frame that could not be read as one, with its bytes."""

    notification: Acw | Unreadable
    raw: bytes
    #: epoch milliseconds
    received_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """The topics of these conversations are confirmed on an open socket."""

    ids: Sequence[str]
    channel_id: str
    #: id of this instance when its socket reported it, as in the next two
    owner: str
    #: seconds from the cover to the first question, for those that were registered just before
    question_after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncovered:
    """These conversations are covered no longer."""

    ids: Sequence[str]
    owner: str
    #: epoch milliseconds
    since: int
    #: when it was reported, in monotonic seconds
    noted_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Events of these conversations may have been lost here, so that Genesys is to be asked about them."""

    ids: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Genesys refuses the topic of this conversation."""

    conversation_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelCreated:
    """Genesys has created a channel for this instance."""

    channel_id: str
    owner: str
    #: both epoch milliseconds
    at: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelClosed:
    """A channel will not be connected again."""

    channel_id: str
    #: epoch milliseconds
    at: int


Arrival = Frame | Covered | Uncovered | Lost | Rejected | ChannelCreated | ChannelClosed


def weight(arrival: Arrival) -> int:
    """Number of rows that it changes besides entries: conversations, timelines, channels; 0 for a frame."""
    if isinstance(arrival, Covered | Uncovered | Lost):
        return len(arrival.ids)
    return int(not isinstance(arrival, Frame))


def event_of(arrival: Arrival) -> AcwEvent | None:
    """The event in it; None if it is no event."""
    match arrival:
        case Frame(notification=Acw(event=event)):
            return event
    return None


def conversations_of(arrival: Arrival) -> Sequence[str]:
    """The conversations that it is about, if they are known."""
    match arrival:
        case Covered(ids=ids) | Uncovered(ids=ids) | Lost(ids=ids):
            return ids
        case Frame(notification=Acw(event=event)):
            return [event.conversation_id]
        case Rejected(conversation_id=str(one)) | Frame(notification=Unreadable(conversation_id=str(one))):
            return [one]
    return ()


def split(arrival: Arrival, busy: Collection[str]) -> tuple[Arrival | None, Arrival | None]:
    """Split off what is about busy conversations: returns the rest and that part, each None if it is empty."""
    left = [one for one in conversations_of(arrival) if one in busy]
    if not left:
        return arrival, None
    if isinstance(arrival, Covered | Uncovered | Lost) and len(left) < len(arrival.ids):
        return replace(arrival, ids=[one for one in arrival.ids if one not in busy]), replace(arrival, ids=left)
    return None, arrival


def joined(arrivals: Iterable[Arrival]) -> list[Arrival]:
    """Join neighbours that tell the same of different conversations, so that one statement stores them.

    Locked rows break a report of a thousand conversations into hundreds of pieces.
    """
    reports: list[Arrival] = []
    for one in arrivals:
        last = reports[-1] if reports else None
        if (
            isinstance(one, Covered | Uncovered | Lost)
            and isinstance(last, Covered | Uncovered | Lost)
            and replace(one, ids=()) == replace(last, ids=())
        ):
            reports[-1] = replace(last, ids=[*last.ids, *one.ids])
        else:
            reports.append(one)
    return reports


def earliest_loss(arrivals: Iterable[Arrival]) -> float:
    """When the first of these losses of coverage was reported (monotonic seconds); infinite if there is none."""
    return min((arrival.noted_at for arrival in arrivals if isinstance(arrival, Uncovered)), default=inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pause:
    """How long a busy conversation waits."""

    #: monotonic seconds
    until: float
    seconds: float


class ArrivalQueue:
    """Arrivals in order, in batches of bounded size.

    Args:
        most_frames: Maximum number of frames.
        most_changes: Maximum number of coverage changes, counted per conversation, and of channels.
    """

    def __init__(self, *, most_frames: int, most_changes: int) -> None:
        self._most_frames = most_frames
        self._most_changes = most_changes
        self._queue: deque[Arrival] = deque()
        self._most_in_batch = _BATCH
        #: by conversation
        self._pauses: dict[str, _Pause] = {}
        #: number of frames, with those of a batch that was taken and is not settled
        self.frames = 0
        #: number of coverage changes and channels, counted like the frames
        self.changes = 0

    def __len__(self) -> int:
        return len(self._queue)

    def has_space_for(self, arrival: Arrival) -> bool:
        """Whether it may be added."""
        if isinstance(arrival, Frame):
            return self.frames < self._most_frames
        return self.changes < self._most_changes

    def add(self, arrival: Arrival) -> None:
        """Add an arrival at the end."""
        self._queue.append(arrival)
        self._count([arrival], 1)

    def take(self, now: float) -> list[Arrival]:
        """Take the next batch out of the queue: give it back, or settle it. Empty if all that is left has to pause.

        Args:
            now: Monotonic seconds.
        """
        pausing = {one for one, pause in self._pauses.items() if pause.until > now}
        batch: list[Arrival] = []
        passed: list[Arrival] = []
        total = 0
        while self._queue and len(batch) < self._most_in_batch:
            free, left = split(self._queue[0], pausing) if pausing else (self._queue[0], None)
            total += weight(free) if free is not None else 0
            if batch and total > _BATCH_WEIGHT * self._most_in_batch / _BATCH:
                break
            self._queue.popleft()
            batch += [free] if free is not None else []
            passed += [left] if left is not None else []
        self._queue.extendleft(reversed(passed))
        return batch

    def pause_seconds(self, now: float) -> float | None:
        """How long to wait for the next batch if :meth:`take` returned none; None until something is added."""
        return max(0.0, min(pause.until for pause in self._pauses.values()) - now) if self._queue else None

    def losses_noted_at(self) -> float:
        """When the oldest report of a loss of coverage was made, as far as it is in the queue; infinite without one."""
        return earliest_loss(self._queue)

    def give_back(self, batch: Sequence[Arrival]) -> None:
        """Put a batch that was not stored back to the front; the next one is smaller."""
        self._most_in_batch = max(_SMALL_BATCH, len(batch) // 2)
        self._queue.extendleft(reversed(batch))

    def settle(self, batch: Sequence[Arrival], left: Sequence[Arrival], now: float) -> None:
        """Forget a batch that was stored, except what is left of it, because its conversations are locked.

        Args:
            left: In order of arrival; goes back to the front.
            now: Monotonic seconds.
        """
        self._most_in_batch = min(_BATCH, 2 * self._most_in_batch)
        self._count(batch, -1)
        self._count(left, 1)
        self._queue.extendleft(reversed(left))
        busy = {one for arrival in left for one in conversations_of(arrival)}
        if self._pauses:
            for one in {one for arrival in batch for one in conversations_of(arrival)} - busy:
                self._pauses.pop(one, None)
        for one in busy:
            last = self._pauses.get(one)
            seconds = _FIRST_PAUSE if last is None else min(2 * last.seconds, _LONGEST_PAUSE)
            self._pauses[one] = _Pause(until=now + seconds, seconds=seconds)

    def _count(self, arrivals: Iterable[Arrival], sign: int) -> None:
        for arrival in arrivals:
            self.frames += sign * isinstance(arrival, Frame)
            self.changes += sign * weight(arrival)
