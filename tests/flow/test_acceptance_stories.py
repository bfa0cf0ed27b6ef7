"""Acceptance stories at their small scale; `make acceptance` plays all of them at full scale, for the figures."""

from pathlib import Path

import pytest

from tests.flow.stories import hold_every_claim

STORIES = (
    "bulk_poison",
    "burst",
    "clock_jumps",
    "closed",
    "code_on_the_line",
    "disk_refuses",
    "events_astray",
    "idle_callers",
    "kills_and_reloads",
    "log_pipe",
    "no_session",
    "notices_by_name",
    "odd_text",
    "one_worker",
    "over_capacity",
    "poisoned_record",
    "rate_storms",
    "receiver_down",
    "refuses_all",
    "second_agent",
    "socket_trouble",
    "start_and_reload",
)


@pytest.mark.parametrize("name", STORIES)
def test_every_claim_of_the_story_holds(name: str, tmp_path: Path) -> None:
    hold_every_claim(name, tmp_path)
