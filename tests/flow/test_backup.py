"""A backup is made while a gateway works, and a gateway that starts from it goes on where the copy was made."""

from pathlib import Path

import gevent

from tests.flow.test_beside_the_gateway import Story
from tests.harness.simulator import Simulator
from tests.harness.waiting import until

CALLS = 12


def test_a_gateway_restored_from_a_backup_under_load_loses_and_doubles_nothing(
    tmp_path: Path, simulator: Simulator
) -> None:
    folder = tmp_path / "gateway"
    folder.mkdir()
    story = Story(folder, simulator, GATEWAY_RECONCILE_SECONDS="0.2")
    before = [story.call() for _ in range(CALLS)]
    for one in before[: CALLS // 2]:
        story.wrap_up(one)
        story.until_record_is("delivered", one)
    busy = gevent.spawn(lambda: [story.register(f"00000000-0000-4000-8000-{n:012d}")[0] for n in range(200)])

    concluded = story.delivered()
    told = story.type("backup", str(tmp_path / "copy"))
    story.type("backup", str(tmp_path / "copy"), code=2)
    # Records that the copy shows as waiting, or does not show at all, are delivered after it was made.
    for one in before[CALLS // 2 :]:
        story.wrap_up(one)
        story.until_record_is("delivered", one)
    assert set(busy.get(timeout=60)) == {201}
    story.gateway.kill()

    assert "conversations" in told
    for file in folder.glob("gateway.db*"):
        file.unlink()
    (tmp_path / "copy").rename(folder / "gateway.db")
    story.gateway.start()
    try:
        for one in before:
            story.end(one)
        until(lambda: {story.view(one)["outcome"] for one in before} == {"logged"}, 60)
        until(lambda: all(r["state"] == "delivered" for one in before for r in story.view(one)["records"]), 30)
        assert len(story.delivered()) == CALLS, "each after-call work, also those after the backup"
        attempts = [one["id"] for one in simulator.control("GET", "/history")["attempts"]]
        assert {attempts.count(one) for one in concluded} == {1}, "what the copy shows as delivered is not sent again"
        until(lambda: story.gateway.metric("conversations_unaccounted") == 0, 10)
    finally:
        assert story.gateway.stop() == 0
