"""Probes ask often enough while something is wrong, and no error of one ends them."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from genesys_gateway.oversight.probes import DiskProbe, Probes
from genesys_gateway.runtime.errors import StorageUnavailable
from tests.doubles.runtime import FakeClock, until
from tests.doubles.stepped_tasks import SteppedTaskGroup


class FailingLogin:
    """A login whose back-off is as long as a test says, and which may raise what nobody expects."""

    def __init__(self) -> None:
        self.left = 0.0
        self.error: Exception | None = None
        self.rejected = False
        self.asked = 0

    def current(self) -> None:
        self.asked += 1
        if self.error is not None:
            raise self.error

    def check_renewal(self) -> None:
        pass

    def seconds_until_retry(self) -> float:
        return self.left


class Nothing:
    """A disk, or an inquiry, that has nothing to tell."""

    def probe(self) -> None:
        pass

    def ask_forbidden(self) -> None:
        pass


class LoginOnly(SteppedTaskGroup):
    """Starts the probe of the login alone."""

    def spawn(self, name: str, function: Any, *args: object) -> Any:
        return super().spawn(name, function, *args) if name == "login-probe" else None


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def login() -> FailingLogin:
    return FailingLogin()


@pytest.fixture
def tasks(clock: FakeClock, login: FailingLogin) -> Iterator[LoginOnly]:
    tasks = LoginOnly(clock)
    nothing = cast(Any, Nothing())
    Probes(DiskProbe(nothing, clock), cast(Any, login), nothing, nothing, clock).start(tasks)
    until(lambda: bool(tasks.waits))
    yield tasks
    tasks.end()


def test_the_login_is_asked_again_soon_after_its_back_off(tasks: LoginOnly, login: FailingLogin) -> None:
    for left in (5.0, 2.5, 0.01):
        login.left = left
        tasks.step()

    assert tasks.waits == [4.0, 4.0, 2.5, 1.0]
    assert login.asked == 4


@pytest.mark.parametrize("error", [StorageUnavailable("the disk is full"), ValueError("a bug")])
def test_no_error_ends_a_probe(tasks: LoginOnly, login: FailingLogin, error: Exception) -> None:
    with capture_logs() as lines:
        login.error = error
        tasks.step()
        login.error = None
        tasks.step()

    assert [(one["event"], one["error"]) for one in lines] == [("probe_failed", type(error).__name__)]
    assert login.asked == 3
