"""While the disk refuses, registrations are answered 503 in bounded time; afterwards all goes on by itself."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from tests.flow.playing import Playing, until

Stage = Callable[..., Playing]


def test_a_database_that_another_process_holds_gives_503_and_what_came_meanwhile_is_not_lost(
    stage: Stage, tmp_path: Path
) -> None:
    play = stage()
    (one,) = play.followed(1)
    other = sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    begun = time.monotonic()
    status, headers = play.register("aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee")
    took = time.monotonic() - begun
    play.finish([one])

    assert (status, headers["Retry-After"].isdigit()) == (503, True)
    assert took < 6
    other.close()
    until(lambda: play.register("aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee")[0] == 201)
    play.until_clean(1)
