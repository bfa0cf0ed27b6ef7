"""The life of a channel is a table; a pair that is not in it raises and changes nothing."""

from itertools import product
from random import Random

import pytest

from genesys_gateway.channels.state import (
    CONNECTED,
    LISTENING,
    RENEWED_AHEAD_SECONDS,
    NoSuchStep,
    Signal,
    State,
    seconds_until_handover,
    step,
)
from genesys_gateway.genesys.tokens import MAX_MARGIN_SECONDS

# Repeated here on purpose: a row changed by mistake makes a test fail.
STEPS = {
    State.CONNECTING: {
        Signal.OPENED: State.OPEN,
        Signal.LOST: State.WAITING,
        Signal.REFUSED: State.GONE,
        Signal.RETIRE: State.RETIRED,
    },
    State.OPEN: {
        Signal.NOTICE: State.CLOSING,
        Signal.LOST: State.WAITING,
        Signal.REFUSED: State.GONE,
        Signal.RETIRE: State.RETIRED,
    },
    State.CLOSING: {
        Signal.NOTICE: State.CLOSING,
        Signal.LOST: State.WAITING,
        Signal.REFUSED: State.GONE,
        Signal.RETIRE: State.RETIRED,
    },
    State.WAITING: {
        Signal.RETRY: State.CONNECTING,
        Signal.REFUSED: State.GONE,
        Signal.RETIRE: State.RETIRED,
    },
    State.GONE: {Signal.REFUSED: State.GONE, Signal.RETIRE: State.RETIRED},
    State.RETIRED: {Signal.RETIRE: State.RETIRED},
}
PAIRS = list(product(State, Signal))


@pytest.mark.parametrize(("state", "signal"), [pair for pair in PAIRS if pair[1] in STEPS[pair[0]]])
def test_a_row_of_the_table_leads_where_it_says(state: State, signal: Signal) -> None:
    assert step(state, signal) is STEPS[state][signal]


@pytest.mark.parametrize(("state", "signal"), [pair for pair in PAIRS if pair[1] not in STEPS[pair[0]]])
def test_a_missing_row_raises_and_says_what_was_missing(state: State, signal: Signal) -> None:
    with pytest.raises(NoSuchStep, match=f"^{signal.name} while {state.name}$"):
        step(state, signal)


def test_a_channel_that_ended_never_connects_again() -> None:
    reached, frontier = set(), {State.GONE, State.RETIRED}
    while frontier:
        reached |= frontier
        frontier = {after for state in frontier for after in STEPS[state].values()} - reached
    assert reached == {State.GONE, State.RETIRED}


def test_every_channel_can_be_retired_from_wherever_it_is() -> None:
    assert {step(state, Signal.RETIRE) for state in State} == {State.RETIRED}


def test_notifications_arrive_only_where_a_connection_counts() -> None:
    assert LISTENING < CONNECTED
    assert CONNECTED.isdisjoint({State.GONE, State.RETIRED})


def test_a_channel_knows_when_its_token_is_renewed() -> None:
    assert RENEWED_AHEAD_SECONDS == MAX_MARGIN_SECONDS


DAY = 86_400.0


@pytest.mark.parametrize(
    ("name", "life", "token_left", "token_life", "earliest", "latest"),
    [
        ("both live a day, as they do at Genesys", DAY, 86_399, 86_399, 300, 234),
        ("made when half of the token's life was over", DAY, 43_200, 86_399, 300, 234),
        ("a short token", DAY, 600, 600, 60, 46),
        ("the token lives on", DAY, 2 * DAY, 2 * DAY, DAY + 3960, DAY + 3240),
        ("the token lives on for a moment", DAY, DAY + 100, DAY + 100, 4060, 3340),
    ],
)
def test_it_is_handed_over_when_a_successor_lives_longer(
    name: str, life: float, token_left: float, token_life: float, earliest: float, latest: float
) -> None:
    """The bounds are seconds before the token's end."""
    for seed in range(50):
        after = seconds_until_handover(
            life=life, token_left=token_left, token_life=token_life, ahead=3600.0, random=Random(seed)
        )
        assert latest <= token_left - after <= earliest, name


class Middle(Random):
    """Chance that always falls on the middle: the exact moment can be compared."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


@pytest.mark.parametrize(
    ("name", "life", "token_left", "token_life", "expected"),
    [
        ("an hour before the end of a day", DAY, 2 * DAY, 2 * DAY, DAY - 3600),
        ("a quarter of a short life", 8000.0, 2 * DAY, 2 * DAY, 6000.0),
        ("a life of less than a second", 0.5, 2 * DAY, 2 * DAY, 0.375),
        ("a clock ahead: the life seems over", 0.0, 2 * DAY, 2 * DAY, DAY - 3600),
        ("a clock far ahead", -5 * DAY, 2 * DAY, 2 * DAY, DAY - 3600),
        ("a clock behind: longer than a channel can live", DAY + 1, 2 * DAY, 2 * DAY, DAY - 3600),
        ("token and channel end together: after the renewal", DAY, DAY, DAY, DAY - 300 * 0.88),
        ("a token without a life", DAY, 0.0, 0.0, 0.0),
        ("a token whose issue lies ahead", DAY, 10.0, -5.0, 10.0),
    ],
)
def test_the_moment_of_a_handover(
    name: str, life: float, token_left: float, token_life: float, expected: float
) -> None:
    after = seconds_until_handover(
        life=life, token_left=token_left, token_life=token_life, ahead=3600.0, random=Middle()
    )

    assert after == pytest.approx(expected), name
