"""The life of one channel as a table: (state, signal) -> state.

Invariant: a pair that is not in the table raises and changes nothing.
"""

from enum import Enum
from random import Random

from genesys_gateway.genesys.client import LIFE_SECONDS


class State(Enum):
    """Where a channel is in its life."""

    #: a socket is being opened
    CONNECTING = "connecting"
    #: the socket is open
    OPEN = "open"
    #: the socket is open, and the server has announced that it will close it
    CLOSING = "closing"
    #: the socket is lost; another will be opened on the same channel
    WAITING = "waiting"
    #: the channel can no longer be used; its topics must move
    GONE = "gone"
    #: we ended it: its topics have moved or are no longer wanted
    RETIRED = "retired"


class Signal(Enum):
    """What can happen to a channel."""

    #: a socket was opened
    OPENED = "opened"
    #: the server announced that it will close the socket
    NOTICE = "notice"
    #: the socket was lost, or could not be opened
    LOST = "lost"
    #: the wait after a loss is over
    RETRY = "retry"
    #: the channel was found to be unusable
    REFUSED = "refused"
    #: we end the channel
    RETIRE = "retire"


_TABLE = {
    (State.CONNECTING, Signal.OPENED): State.OPEN,
    (State.CONNECTING, Signal.LOST): State.WAITING,
    (State.CONNECTING, Signal.REFUSED): State.GONE,
    (State.CONNECTING, Signal.RETIRE): State.RETIRED,
    (State.OPEN, Signal.NOTICE): State.CLOSING,
    (State.OPEN, Signal.LOST): State.WAITING,
    (State.OPEN, Signal.REFUSED): State.GONE,
    (State.OPEN, Signal.RETIRE): State.RETIRED,
    (State.CLOSING, Signal.NOTICE): State.CLOSING,
    (State.CLOSING, Signal.LOST): State.WAITING,
    (State.CLOSING, Signal.REFUSED): State.GONE,
    (State.CLOSING, Signal.RETIRE): State.RETIRED,
    (State.WAITING, Signal.RETRY): State.CONNECTING,
    (State.WAITING, Signal.REFUSED): State.GONE,
    (State.WAITING, Signal.RETIRE): State.RETIRED,
    (State.GONE, Signal.REFUSED): State.GONE,
    (State.GONE, Signal.RETIRE): State.RETIRED,
    (State.RETIRED, Signal.RETIRE): State.RETIRED,
}

#: States that count against the budget: a socket is open, is being opened, or will be opened again.
CONNECTED = frozenset({State.CONNECTING, State.OPEN, State.CLOSING, State.WAITING})

#: States in which notifications arrive.
LISTENING = frozenset({State.OPEN, State.CLOSING})

#: A token is renewed when a tenth of its life is left, but at most this many seconds before its end. The same number is
#: ``genesys.tokens.MAX_MARGIN_SECONDS``.
RENEWED_AHEAD_SECONDS = 300.0


class NoSuchStep(Exception):
    """The table has no row for this signal in this state."""


def step(state: State, signal: Signal) -> State:
    """Return the state that follows.

    Raises:
        NoSuchStep: The table has no row for this pair.
    """
    try:
        return _TABLE[state, signal]
    except KeyError:
        raise NoSuchStep(f"{signal.name} while {state.name}") from None


def seconds_until_handover(*, life: float, token_left: float, token_life: float, ahead: float, random: Random) -> float:
    """Seconds from now until a channel's topics should move.

    There is a random part, so that channels made together don't move together.

    Args:
        life: Seconds until the channel ends by itself, by our clock. A value of 0 or less, or of more than a day, means
            that our clock is wrong; then a day is assumed. Otherwise each successor would be due at once, or a channel
            would end before its handover is due.
        token_left: Seconds until its token ends, and the channel with it.
        token_life: Seconds from the issue of that token to its end.
        ahead: Seconds before the channel's end at which to hand over; a quarter of its life where that is shorter.
        random: Source of the jitter.
    """
    if not 0 < life <= LIFE_SECONDS:
        life = LIFE_SECONDS
    before_own_end = life - min(ahead, life / 4) * random.uniform(0.9, 1.1)
    renewed_ahead = min(max(0.0, token_life) / 10, RENEWED_AHEAD_SECONDS)
    after_renewal = token_left - min(ahead, renewed_ahead) * random.uniform(0.78, 0.98)
    # If the token ends first, wait until it can be renewed: a successor with the same token would end as soon.
    return after_renewal if token_left <= life else min(before_own_end, after_renewal)
