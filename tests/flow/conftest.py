"""What flow tests share: one simulator and one gateway for those that break nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.doubles.canaries import PRIVATE, found_in
from tests.doubles.served import Served
from tests.flow.browser import Visit, browser
from tests.flow.gateways import start_gateway
from tests.harness.gateway import Gateway
from tests.harness.processes import STARTED
from tests.harness.simulator import Simulator


@pytest.fixture(scope="session", autouse=True)
def _no_process_is_left() -> Iterator[None]:
    """After the last flow test: end processes of tests that failed before they could end them."""
    yield
    for process in STARTED:
        process.kill()


@pytest.fixture(scope="session", autouse=True)
def _nothing_private_was_written() -> Iterator[None]:
    """After the last flow test: no gateway of this run has logged a secret or anything personal."""
    yield
    for file in {process.log for process in STARTED if process.log.name == "gateway.log"}:
        if file.exists():
            assert found_in(file.read_text(), PRIVATE) == [], file


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A simulator for the whole run."""
    running = Simulator(tmp_path_factory.mktemp("simulator"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory, simulator: Simulator) -> Iterator[Gateway]:
    """A gateway for tests that leave it as it was."""
    folder: Path = tmp_path_factory.mktemp("gateway")
    running = start_gateway(folder, simulator.url)
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def launched() -> Iterator[Browser]:
    """A browser; the test is skipped where there is none."""
    with browser() as one:
        yield one


@pytest.fixture
def served() -> Iterator[Served]:
    """Pages over HTTP, with a service behind them that a test sets."""
    running = Served()
    yield running
    running.stop()


@pytest.fixture
def visit(launched: Browser, served: Served) -> Iterator[Visit]:
    """A visitor of those pages about whom the browser has nothing to complain at the end."""
    visitor = Visit(launched, served.url)
    yield visitor
    visitor.context.close()
    assert visitor.complaints == []
