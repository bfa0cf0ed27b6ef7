"""The life of one channel as a table: (state, signal) -> state.

Law: a pair that is not in the table raises and moves nothing.
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
    #: this channel can't be used any more; its topics must move
    GONE = "gone"
    #: our own choice: its topics have moved or are no longer wanted
    RETIRED = "retired"


class Signal(Enum):
    """What can happen to a channel."""

    OPENED = "opened"
    NOTICE = "notice"
    LOST = "lost"
    RETRY = "retry"
    REFUSED = "refused"
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

#: States that count against the budget of 20: a socket is open, is being opened, or will be opened again.
CONNECTED = frozenset({State.CONNECTING, State.OPEN, State.CLOSING, State.WAITING})

#: States in which notifications arrive.
LISTENING = frozenset({State.OPEN, State.CLOSING})

#: A token is renewed when a tenth of its life is left, but at most this long before its end.
RENEWED_AHEAD_SECONDS = 300.0


class NoSuchStep(Exception):
    """A signal came in a state that has no row for it."""


def step(state: State, signal: Signal) -> State:
    """The state that follows.

    Raises:
        NoSuchStep: The table has no such row.
    """
    try:
        return _TABLE[state, signal]
    except KeyError:
        raise NoSuchStep(f"{signal.name} while {state.name}") from None


def good_for(*, life: float, token_left: float, token_life: float, ahead: float, random: Random) -> float:
    """Seconds until a channel's topics should move to another; random, so that channels made together part.

    Args:
        life: Seconds until it ends by itself, by our clock. None left, or more than a day's, means that the clock is
            wrong. Then a day counts: or each successor would be due at its birth, or it would end before it is due.
        token_left: Seconds until its token ends, and the channel with it.
        token_life: Seconds that the token lives in all.
        ahead: How long before its end it should be handed over, if its life allows that.
    """
    if not 0 < life <= LIFE_SECONDS:
        life = LIFE_SECONDS
    own = life - min(ahead, life / 4) * random.uniform(0.9, 1.1)
    renewed_ahead = min(max(0.0, token_life) / 10, RENEWED_AHEAD_SECONDS)
    renewed = token_left - min(ahead, renewed_ahead) * random.uniform(0.78, 0.98)
    # Where the token ends first, not before a new one can be had: a successor with the same one would end as soon.
    return renewed if token_left <= life else min(own, renewed)
