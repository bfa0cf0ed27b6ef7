"""What flow tests share: one simulator and one gateway for those that break nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.running import GatewayProcess, Simulator


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A simulator for the whole run."""
    running = Simulator(tmp_path_factory.mktemp("simulator"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory, simulator: Simulator) -> Iterator[GatewayProcess]:
    """A gateway for tests that leave it as it was."""
    folder: Path = tmp_path_factory.mktemp("gateway")
    running = GatewayProcess(folder, simulator.url).until_ready()
    yield running
    assert running.stop() == 0
