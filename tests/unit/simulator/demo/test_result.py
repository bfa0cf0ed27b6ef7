"""Which records and conversations the demo reports as problems."""

from typing import Any

import pytest

from genesys_gateway.simulator.demo.result import problems


def record(session: str) -> dict[str, Any]:
    return {"interactionId": "c", "body": {"participantId": "p", "sessionId": session}}


def test_nothing_is_missing_when_each_is_stored_once_and_all_are_logged() -> None:
    assert problems(["c/p/s", "c/p/t"], [record("t"), record("s")], {"c": "logged"}) == ()


@pytest.mark.parametrize(
    ("announced", "stored", "outcome", "problem"),
    [
        (["c/p/s"], [], "logged", "no record of after-call work c/p/s"),
        (["c/p/s"], ["s", "s"], "logged", "2 records of after-call work c/p/s"),
        ([], ["s"], "logged", "a record of an after-call work that was not done: c/p/s"),
        (["c/p/s"], ["s"], "subscribed", "conversation c is subscribed, not logged"),
        (["c/p/s"], ["s"], "no_acw", "conversation c is no_acw, not logged"),
    ],
)
def test_whatever_is_not_as_it_should_be_is_named(
    announced: list[str], stored: list[str], outcome: str, problem: str
) -> None:
    assert problems(announced, [record(session) for session in stored], {"c": outcome}) == (problem,)
