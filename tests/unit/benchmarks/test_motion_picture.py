"""The picture of a load: well-formed, with every curve and every disruption in it."""

from xml.etree import ElementTree

from tests.benchmarks.motion.curves import Curves, curves
from tests.benchmarks.motion.figures import CLASSES, Ledger
from tests.benchmarks.motion.loads import LOADS
from tests.benchmarks.motion.picture import Mark, draw
from tests.doubles.ledgers import call, conversation, record, work


def made_up() -> Curves:
    minute = 60_000
    ledger = Ledger(
        conversations=[
            conversation(began=at, registered=at + 50, listened=at + 350, ended=at + minute, unheard=at + 3 * minute)
            for at in range(0, 5 * minute, 1000)
        ],
        finished=[work("a", minute)],
        records=[record("a", "1970-01-01T00:01:00.200Z")],
        calls=[call("GET", "conversations/c", at) for at in range(0, minute, 10_000)],
    )
    return curves(ledger, begin=0, end=8 * minute)


def test_the_numbers_of_conversations_follow_their_beginnings_and_ends() -> None:
    numbers = made_up().numbers

    assert dict(numbers["going on"])[100.0] == 60
    assert max(value for _, value in numbers["with a topic"]) == 179
    assert numbers["ended, not given back"][-1] == (480.0, 0.0)
    assert dict(numbers["wait for a topic"])[100.0] == 0


def test_calls_are_given_for_a_minute() -> None:
    assert list(made_up().calls["live questions"][:7]) == [*((at, 6.0) for at in range(0, 60, 10)), (60, 0.0)]


def test_delays_belong_to_the_step_in_which_they_began() -> None:
    found = made_up()

    assert found.records.p99 == [(65.0, 0.2)]
    assert found.coverage.median[0] == (5.0, 0.3)
    assert found.given_back.median[0] == (65.0, 120.0)


def test_the_picture_names_every_curve_and_every_disruption() -> None:
    svg = draw(made_up(), LOADS[0], "100 a minute & more", [Mark(at=120, text="socket dropped")])

    text = " ".join(ElementTree.fromstring(svg).itertext())
    names = (*CLASSES, "going on", "covered, p99", "recorded, median", "given back, p99", "socket dropped")
    assert all(name in text for name in (*names, "100 a minute & more", "limit 300"))
