"""Gauges show the state of the database and of the channels."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from genesys_gateway.channels import ChannelRegistry
from genesys_gateway.maintenance.gauges import Gauges
from genesys_gateway.runtime.greenlets import TaskGroup
from genesys_gateway.runtime.metrics import Metrics
from tests.doubles.channels import ids, quick
from tests.doubles.identity_provider import signing
from tests.doubles.runtime import FakeClock, runtime
from tests.doubles.storage_in_memory import StorageInMemory

CERTIFICATE = "signing_certificate_expiry_timestamp_seconds"


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

    def __init__(self, **changes: Any) -> None:
        self.clock = FakeClock()
        self.storage = StorageInMemory(self.clock)
        self.metrics = Metrics()
        self._gauges = Gauges(
            self.storage,
            quick(**changes),
            runtime(self.clock, [], metrics=self.metrics),
            cast(ChannelRegistry, NoChannels()),
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


def test_without_a_signing_certificate_its_end_is_0(gauges: GaugesOnStorageInMemory) -> None:
    gauges.set()

    assert gauges.value("signing_certificate_expiry_timestamp_seconds") == 0


def test_the_end_of_the_signing_certificate_is_read_again_once_a_minute(tmp_path: Path) -> None:
    file = Path(signing(tmp_path, days=20)["GENESYS_SAML_CERTIFICATE_FILE"])
    gauges = GaugesOnStorageInMemory(genesys_saml_certificate_file=file)
    gauges.set()
    first = gauges.value(CERTIFICATE)
    signing(tmp_path, days=40)
    gauges.set()
    at_once = gauges.value(CERTIFICATE)
    gauges.clock.advance(60)
    gauges.set()
    renewed = gauges.value(CERTIFICATE)
    file.write_text("no certificate")
    gauges.clock.advance(60)
    gauges.set()
    gauges.storage.close()

    assert first is not None
    assert first == at_once
    assert renewed == pytest.approx(first + 20 * 86_400, abs=86_400)
    assert gauges.value(CERTIFICATE) == 0
