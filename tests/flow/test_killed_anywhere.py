"""A real gateway killed at the worst kill points loses and doubles nothing; `make kill-points` plays all of them."""

import pytest

from tests.chaos.killed import Scene, play
from tests.harness import databases
from tests.harness.report import Report

WORST = (
    Scene(point="before_answer:2"),
    Scene(point="before_storing"),
    Scene(point="closed:3", deaf=True),
    Scene(point="moved", notice=True),
)


@pytest.mark.parametrize("scene", WORST, ids=lambda scene: scene.point)
def test_every_record_arrives_once(scene: Scene) -> None:
    report = Report("killed")
    assert play(scene, "sqlite", report), report.claims


def test_what_was_posted_and_not_marked_is_not_posted_again_on_postgresql() -> None:
    if not databases.reachable():
        pytest.skip("no PostgreSQL at 127.0.0.1:5432 with a database named test")
    report = Report("killed")
    assert play(Scene(point="posted"), "postgresql", report), report.claims
