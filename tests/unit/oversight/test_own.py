"""What an instance knows to be wrong by itself, in figures, and since when."""

from typing import Any, cast

import pytest

from genesys_gateway.delivery.circuit_breaker import CircuitBreaker
from genesys_gateway.delivery.outcome import Policy, of_post
from genesys_gateway.genesys.client import Forbidden
from genesys_gateway.genesys.load import Load
from genesys_gateway.genesys.rate_limiter import RateLimiter
from genesys_gateway.genesys.tokens import TokenTrouble
from genesys_gateway.oversight.finding import Finding
from genesys_gateway.oversight.own import OwnFindings, Sources
from genesys_gateway.oversight.probes import DiskProbe
from genesys_gateway.reconciliation.availability import Permissions, View
from genesys_gateway.runtime.errors import StorageUnavailable
from tests.doubles.runtime import FakeClock


class FakeTokens:
    """A login as a test says that it is."""

    def __init__(self) -> None:
        self.trouble: TokenTrouble | None = None
        self.stale: TokenTrouble | None = None


class FakeRegistry:
    """Channels that hold as much as a test says."""

    def __init__(self) -> None:
        self.waiting = self.lasting = 0

    def waiting_for_a_place(self, seconds: float = 0.0) -> int:
        return self.lasting if seconds else self.waiting


class FakeStorage:
    """A database that takes commits, or fails as a test says."""

    def __init__(self) -> None:
        self.error: StorageUnavailable | None = None

    def probe(self) -> None:
        if self.error is not None:
            raise self.error


class Instance:
    """All that knows something, and what is found from it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.breaker = CircuitBreaker(Policy(base_ms=1000, max_ms=300_000, limit_ms=1))
        self.tokens, self.registry, self.storage = FakeTokens(), FakeRegistry(), FakeStorage()
        self.limiter = RateLimiter(300, self.clock)
        self.permissions = Permissions(self.clock)
        self.disk = DiskProbe(cast(Any, self.storage), self.clock)
        self.spooled = 0
        sources = Sources(
            breaker=self.breaker,
            tokens=cast(Any, self.tokens),
            registry=cast(Any, self.registry),
            load=Load(self.limiter, self.clock),
            permissions=self.permissions,
            disk=self.disk,
            spooled=lambda: self.spooled,
            channel_budget=20,
        )
        self.own = OwnFindings(sources, self.clock)

    def found(self) -> dict[str, Finding]:
        return {one.code: one for one in self.own.now()}


@pytest.fixture
def instance() -> Instance:
    return Instance()


def test_nothing_is_wrong_at_the_start(instance: Instance) -> None:
    assert instance.found() == {}


def test_a_finding_keeps_its_date_while_it_lasts_and_gets_a_new_one_when_it_comes_back(instance: Instance) -> None:
    began = instance.clock.now()
    instance.breaker.report("a", of_post(401), instance.clock.monotonic())

    instance.clock.advance(100)
    assert instance.found()["receiver_misdeployed"].since == began
    instance.clock.jump(3600)
    assert instance.found()["receiver_misdeployed"].since == began

    instance.breaker.report("a", of_post(201), instance.clock.monotonic())
    assert instance.found() == {}
    instance.breaker.report("b", of_post(401), instance.clock.monotonic())
    assert instance.found()["receiver_misdeployed"].since == instance.clock.now()


def test_the_receivers_last_failure_is_dated_so_that_a_later_success_of_another_instance_shows_its_end(
    instance: Instance,
) -> None:
    instance.breaker.report("a", of_post(401), instance.clock.monotonic())
    failed_at = instance.clock.now()
    instance.clock.advance(5)

    facts = instance.found()["receiver_misdeployed"].facts
    assert facts == {"error": "HTTP 401", "refused": 1, "failed_at": failed_at}


def test_a_login_that_fails_and_an_assertion_that_is_missing(instance: Instance) -> None:
    at = instance.clock.monotonic()
    instance.tokens.trouble = TokenTrouble(since=at, error="the login host answered 503")
    instance.tokens.stale = TokenTrouble(since=at, error="no assertion")

    found = instance.found()
    assert found["no_token"].facts == {"error": "the login host answered 503"}
    assert found["assertion_stale"].facts == {"error": "no assertion"}


def test_waiting_for_a_place_is_told_when_it_lasts(instance: Instance) -> None:
    instance.registry.waiting = 7
    assert instance.found() == {}

    instance.clock.advance(2)
    instance.registry.lasting = 4
    assert instance.found()["channels_full"].facts == {"waiting": 7, "lasting": 4, "channels": 19}

    instance.registry.waiting = 0
    assert instance.found() == {}


def test_a_pause_of_all_calls_is_told_until_a_call_is_answered(instance: Instance) -> None:
    instance.limiter.pause(30)
    assert instance.found() == {}

    instance.clock.advance(2)
    assert instance.found()["calls_exhausted"].facts == {"limit": 300, "waiting": 1}
    instance.limiter.served()
    assert instance.found() == {}


def test_a_pause_after_which_nothing_is_asked_again_is_over_by_itself(instance: Instance) -> None:
    instance.limiter.pause(2)
    instance.clock.advance(6)
    assert "calls_exhausted" in instance.found()

    instance.clock.advance(2)
    assert instance.found() == {}


def test_views_that_are_forbidden_are_named_until_an_answer_is_no_403(instance: Instance) -> None:
    for view in View:
        with pytest.raises(Forbidden), instance.permissions.asking(view, "c"):
            raise Forbidden("403")
    assert instance.found()["reads_forbidden"].facts == {
        "error": "HTTP 403 without conversation:communication:view and analytics:conversationDetail:view"
    }

    for view in View:
        with instance.permissions.asking(view, "c"):
            pass
    assert instance.found() == {}


def test_a_disk_that_refuses_is_told_with_what_waits_in_memory(instance: Instance) -> None:
    began = instance.clock.now()
    instance.storage.error, instance.spooled = StorageUnavailable("storage can't be written now"), 12
    instance.disk.look()
    instance.clock.advance(2)
    instance.disk.look()

    finding = instance.found()["disk_refuses"]
    assert finding.facts == {"error": "storage can't be written now", "spooled": 12}
    assert finding.since == began
    instance.storage.error = None
    instance.disk.look()
    assert instance.found() == {}


def test_a_full_disk_is_called_so(instance: Instance) -> None:
    instance.storage.error = StorageUnavailable("the disk takes no more")
    instance.storage.error.__cause__ = OSError(28, "No space left on device")
    instance.disk.look()

    assert instance.found()["disk_refuses"].facts["error"] == "the disk is full"


def test_a_disk_that_hangs_is_told_while_the_look_lasts(instance: Instance) -> None:
    def hang() -> None:
        assert instance.found() == {}
        instance.clock.advance(3.1)
        assert instance.found()["disk_refuses"].facts["error"] == "no answer in time"

    instance.storage.probe = hang  # type: ignore[method-assign]
    instance.disk.look()

    assert instance.found() == {}
