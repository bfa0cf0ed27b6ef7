"""What the database shows of troubles that one instance alone can't see the end of."""

import pytest

from genesys_gateway.oversight.finding import Finding
from genesys_gateway.oversight.survey import Survey, still_so
from genesys_gateway.storage.statements.accounting import Balance

DOWN = Finding(code="receiver_down", since=1_000, facts={"error": "HTTP 503", "failed_at": 10_000})


def known(*, backlog: int, delivered_at: int | None) -> Survey:
    balance = Balance(accepted=1, states={"subscribed": 1}, missed=0)
    return Survey(
        now=60_000, balance=balance, backlog=backlog, dead=0, instances=(), reports={}, delivered_at=delivered_at
    )


def shown(finding: Finding, survey: Survey) -> list[Finding]:
    return list(still_so([finding], survey))


@pytest.mark.parametrize(("delivered_at", "over"), [(None, False), (9_000, False), (11_000, False), (12_001, True)])
def test_a_delivery_by_any_instance_after_the_last_failure_shows_that_the_receiver_is_well(
    delivered_at: int | None, over: bool
) -> None:
    assert (shown(DOWN, known(backlog=5, delivered_at=delivered_at)) == []) is over


def test_without_a_record_that_waits_nothing_is_known_of_the_receiver() -> None:
    assert shown(DOWN, known(backlog=0, delivered_at=None)) == []


def test_other_troubles_go_by_themselves() -> None:
    token = Finding(code="no_token", since=1_000, facts={"error": "the login host answered 503"})

    assert shown(token, known(backlog=0, delivered_at=99_000)) == [token]


@pytest.mark.parametrize(("delivered_at", "since"), [(None, 1_000), (900, 1_000), (9_000, 9_000), (11_000, 10_000)])
def test_a_trouble_that_is_back_began_after_the_last_delivery(delivered_at: int | None, since: int) -> None:
    (found,) = shown(DOWN, known(backlog=5, delivered_at=delivered_at))

    assert found.since == since
