"""The gateway's clock jumps a day ahead, past every date: nothing is dead, unresolved or erased."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import gevent

from tests.flow.playing import Playing, until
from tests.flow.running import ROOT

Stage = Callable[..., Playing]


def test_a_clock_that_jumps_a_day_buries_nothing(stage: Stage, tmp_path: Path) -> None:
    offset = tmp_path / "offset"
    offset.write_text("0")
    play = stage(
        PYTHONPATH=str(ROOT / "tests/acceptance/wrong_clock"),
        WRONG_CLOCK_FILE=str(offset),
        GATEWAY_FOLLOW_DEADLINE_SECONDS="43200",
        GATEWAY_RETRY_LIMIT_HOURS="12",
        GATEWAY_RETRY_MAX_SECONDS="2",
    )
    waiting, still_open = play.followed(10), play.followed(10)
    play.receive("503")
    play.finish(waiting)
    until(play.attempts)

    offset.write_text("86400")
    tomorrow = (datetime.now(UTC) + timedelta(hours=23)).isoformat()
    until(lambda: max(step["at"] for one in waiting for step in play.view(one)["timeline"]) > tomorrow, 30)
    gevent.sleep(2)

    views = [play.view(one) for one in [*waiting, *still_open]]
    assert not [one for one in views if one["outcome"] == "unresolved" or one["customerId"] is None]
    assert not [record for one in views for record in one["records"] if record["state"] == "dead"]
    until(lambda: set(still_open) <= play.listened())
    play.receive("ok")
    play.finish(still_open)
    play.until_clean(20)
