"""Limits of our own that are reached: channels, calls, deadlines, the disk; and a bug that lost a conversation."""

import sqlite3
from pathlib import Path

import pytest

from tests.flow.troubles.scene import scene
from tests.harness.report import Report
from tests.harness.stage import Scale, Stage


def test_more_conversations_than_the_channels_hold(tmp_path: Path) -> None:
    with scene(tmp_path, GATEWAY_CHANNEL_BUDGET="2", GATEWAY_CHANNEL_TOPICS="2") as here:
        first, second = (here.call().register().until("subscribed") for _ in range(2))
        here.call().register()

        trouble = here.comes("channels_full")
        assert trouble["text"].startswith("1 conversation waits")
        assert "uncovered" not in here.troubles()

        for call in (first, second):
            call.act("end").act("wrapup")
        here.goes("channels_full")
        assert "uncovered" not in here.troubles()


def test_more_calls_than_the_limit_allows(tmp_path: Path) -> None:
    with scene(tmp_path, GATEWAY_API_RATE_PER_MINUTE="3") as here:
        here.call().register().until("subscribed").act("end").act("wrapup")

        trouble = here.comes("calls_exhausted")
        assert "of 3 a minute" in trouble["text"]


def test_a_conversation_without_a_record_until_one_comes(tmp_path: Path) -> None:
    with scene(
        tmp_path,
        GATEWAY_FOLLOW_DEADLINE_SECONDS="1",
        GATEWAY_RECONCILE_SECONDS="1",
        GATEWAY_ANALYTICS_SETTLE_SECONDS="1",
    ) as here:
        here.simulator.fault("answer", method="GET", path="/api/v2/conversations/*", status=404)
        here.simulator.fault("answer", method="GET", path="/api/v2/analytics/*", status=404)
        call = here.call().register()

        trouble = here.comes("unresolved")
        assert trouble["text"].startswith("1 conversation")

        assert here.support_result(call.id) == 202
        here.goes("unresolved")


def test_a_conversation_that_is_lost(tmp_path: Path) -> None:
    with scene(tmp_path) as here:
        call = here.call().register().until("subscribed")

        with sqlite3.connect(here.gateway.database, timeout=10, isolation_level=None) as database:
            row = database.execute("SELECT * FROM conversation WHERE id = ?", [call.id]).fetchone()
            database.execute("DELETE FROM conversation WHERE id = ?", [call.id])
        trouble = here.comes("unaccounted")
        assert trouble["text"].startswith("1 conversation")

        with sqlite3.connect(here.gateway.database, timeout=10, isolation_level=None) as database:
            database.execute(f"INSERT INTO conversation VALUES ({','.join('?' * len(row))})", row)
        database.close()
        here.goes("unaccounted")


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    stage = Stage(Report("full-disk"), Scale.SMALL, tmp_path)
    try:
        disk = stage.small_disk("disk", 32)
        if disk is None:
            pytest.skip("this account may not mount a file system")
        with scene(tmp_path, DATABASE_URL=f"sqlite:///{disk}/gateway.db") as here:
            here.call().register().until("subscribed")

            filling = disk / "filling"
            fill(filling)
            trouble = here.comes("disk_refuses")
            assert "the disk is full" in trouble["text"]

            filling.unlink()
            here.goes("disk_refuses")
            here.call().register()
    finally:
        stage.close(keep=True)


def fill(file: Path) -> None:
    """Write until the disk takes no more, in ever smaller pieces."""
    with file.open("wb", buffering=0) as writer:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while writer.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
