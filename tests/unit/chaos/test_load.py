"""The load of chaos says when it faltered: a run that had no load shows nothing."""

from typing import cast

import gevent
import pytest

from tests.chaos.load import Load
from tests.chaos.world import World


class BrokenSimulator:
    """A world whose contact centre begins no call."""

    def __init__(self) -> None:
        self.simulator = self

    def start(self, **_: object) -> None:
        raise RuntimeError("no more calls")


def test_a_load_that_died_has_faltered(capsys: pytest.CaptureFixture[str]) -> None:
    load = Load(cast("World", BrokenSimulator()))
    load.start()
    for _ in range(5):
        gevent.sleep(0)  # until it has died and that was told
    load.stop(0)
    assert len(load.failures) == 1
    assert load.calls == 0
    assert "no more calls" in capsys.readouterr().err
