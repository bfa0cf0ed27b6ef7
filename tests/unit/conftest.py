"""What every unit test is held to: it leaves no greenlet of ours behind."""

from collections.abc import Iterator
from weakref import WeakSet

import gevent
import pytest
from gevent.greenlet import Greenlet
from hypothesis import HealthCheck, settings

# How long an example takes to be made or tried says something about the machine only.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def no_greenlet_is_left() -> Iterator[None]:
    """Fail a test after which a greenlet of a task group still lives: they are named ``tasks.task``."""
    started: WeakSet[Greenlet[..., object]] = WeakSet()
    Greenlet.add_spawn_callback(started.add)
    yield
    Greenlet.remove_spawn_callback(started.add)
    ours = [greenlet for greenlet in started if "." in greenlet.name]
    gevent.joinall(ours, timeout=0.2)
    left = sorted(greenlet.name for greenlet in ours if not greenlet.dead)
    gevent.killall([greenlet for greenlet in ours if not greenlet.dead])
    assert left == []
