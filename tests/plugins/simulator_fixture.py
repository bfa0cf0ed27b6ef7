"""Pytest plugin with the fixture `sim`: a simulator in this process, reset for each test.

Activate it with `pytest_plugins`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from genesys_gateway.simulator.server import Service
from tests.doubles.simulator import Simulated


@pytest.fixture(scope="session")
def simulator_service() -> Iterator[Service]:
    service = Service(port=0, history_port=0)
    service.start()
    yield service
    service.stop()


@pytest.fixture
def sim(simulator_service: Service) -> Iterator[Simulated]:
    """A simulator in its initial state."""
    simulated = Simulated(simulator_service)
    simulated.reset()
    yield simulated
    simulated.close()
