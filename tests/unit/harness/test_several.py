"""What the stories with several instances compute from what they have seen."""

from typing import Any, cast

from tests.acceptance.several import Shown
from tests.harness import judge
from tests.harness.listening import Interval, longest, overlaps, spread, unheard
from tests.harness.report import Report
from tests.harness.simulator import AgentSession, Simulator

SESSION = AgentSession(conversation="c-1", participant="p-1", session="s-1", user="u-1")


class Ledger:
    """A simulator with a ledger of that content."""

    def __init__(self, **parts: list[dict[str, Any]]) -> None:
        self._parts = parts

    def ledger(self, part: str) -> list[dict[str, Any]]:
        return self._parts[part]


def simulator(**parts: list[dict[str, Any]]) -> Simulator:
    return cast("Simulator", Ledger(**parts))


def interval(begin: int, end: int) -> Interval:
    return Interval(conversation="c-1", begin=begin, end=end, over=True)


def test_only_the_times_of_these_conversations_since_then_count() -> None:
    times = [
        {"conversationId": "c-1", "from": 1000, "until": 3000},
        {"conversationId": "c-1", "from": 5000, "until": 5500},
        {"conversationId": "c-2", "from": 6000, "until": None},
    ]
    found = unheard(simulator(unheard=times), [SESSION], since=2000)
    assert [(one.begin, one.seconds, one.over) for one in found] == [(5000, 0.5, True)]
    assert len(overlaps(simulator(overlaps=times), [SESSION])) == 2


def test_what_goes_on_lasts_until_now() -> None:
    (one,) = unheard(simulator(unheard=[{"conversationId": "c-1", "from": 1000, "until": None}]), [SESSION])
    assert not one.over
    assert one.seconds > 1_000_000


def test_the_spread_of_times_names_median_and_longest() -> None:
    assert spread([]) == "none"
    assert spread([interval(0, 1000), interval(0, 9000), interval(0, 2000)]) == "median 2.0 s, longest 9.0 s"
    assert longest([]) == 0
    assert longest([interval(0, 1000), interval(0, 9000)]) == 9


def test_subscribed_is_untrue_from_the_loss_of_the_socket_until_the_next_one() -> None:
    questions = [("c-1", 900), ("c-1", 1500), ("c-1", 2500), ("c-1", 3980), ("c-1", 4500), ("c-2", 3000)]
    shown = Shown(subscribed=[(one, asked, asked + 30) for one, asked in questions])
    assert shown.untrue_seconds([interval(1000, 4000)]) == 1.5
    assert Shown().untrue_seconds([interval(1000, 4000)]) == 0


def test_as_many_records_may_be_doubled_as_attempts_were_in_doubt() -> None:
    work = {"recordKey": "c-1/p-1/s-1", "expected": True}
    record = {"record": {"id": judge.record_id("c-1/p-1/s-1")}}
    doubled = simulator(finished=[work], records=[record, record])
    assert judge.nothing_lost_doubled_only_in_doubt(Report("held"), doubled, doubted=1)
    assert not judge.nothing_lost_doubled_only_in_doubt(Report("failed"), doubled, doubted=0)
    assert not judge.nothing_lost_doubled_only_in_doubt(Report("lost"), simulator(finished=[work], records=[]), 5)


def test_the_sockets_of_each_client_are_counted_by_themselves() -> None:
    seen = [{"channel": channel, "client": channel[0], "event": "opened"} for channel in ("a-1", "a-2", "b-1")]
    assert judge.most_connected(seen) == 3
    assert [judge.most_connected(seen, client) for client in "abc"] == [2, 1, 0]
