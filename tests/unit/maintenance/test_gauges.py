"""Gauges show the state of the database and of the channels."""

from collections.abc import Iterator
from typing import cast

import pytest

from genesys_gateway.channels import ChannelRegistry
from genesys_gateway.genesys import RateLimiter
from genesys_gateway.genesys.load import Load
from genesys_gateway.maintenance.gauges import Gauges
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.metrics import Metrics
from tests.doubles.channels import ids, quick
from tests.doubles.runtime import FakeClock, runtime
from tests.doubles.storage_in_memory import StorageInMemory


class OneRound(TaskGroup):
    """A task group that stops at the end of the first round."""

    def wait(self, seconds: float) -> bool:
        self.stop(0.0)
        return True


class NoChannels:
    def channels(self) -> list[object]:
        return []


class GaugesOnStorageInMemory:
    """Gauges that are set once."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.storage = StorageInMemory(self.clock)
        self.metrics = Metrics()
        self._gauges = Gauges(
            self.storage,
            quick(),
            runtime(self.clock, [], metrics=self.metrics),
            cast(ChannelRegistry, NoChannels()),
            Load(RateLimiter(300, self.clock), self.clock),
            lambda: None,
        )

    def set(self) -> None:
        self._gauges.run(OneRound("gauges", lambda name, error: None))

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"genesys_gateway_{name}", labels)


@pytest.fixture
def gauges() -> Iterator[GaugesOnStorageInMemory]:
    made = GaugesOnStorageInMemory()
    yield made
    made.storage.close()


def test_released_conversations_are_pending_and_not_uncovered(gauges: GaugesOnStorageInMemory) -> None:
    gauges.storage.register(*ids(7))
    gauges.storage.cover(*ids(5))
    gauges.storage.release(*ids(3))
    gauges.storage.close_conversations(*ids(1))

    gauges.set()

    states = {state: gauges.value("conversations", state=state) for state in ("pending", "subscribed", "closed")}
    assert states == {"pending": 4, "subscribed": 2, "closed": 1}
    assert gauges.value("conversations_released") == 2
    assert gauges.value("conversations_uncovered") == 2
    assert gauges.value("conversations_unaccounted") == 0
