"""A gateway that stores in a dictionary, for tests of the HTTP interface, and the requests that they send."""

from functools import cached_property
from typing import Any, cast

from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.intake.registration import Registered, Registration
from genesys_gateway.intake.support_result import SupportResults
from genesys_gateway.oversight.conversations import Conversations
from genesys_gateway.oversight.hour import Hour
from genesys_gateway.oversight.records import Records
from genesys_gateway.oversight.status import Promise, Status
from genesys_gateway.oversight.watch import Watch
from genesys_gateway.runtime.clock import SystemClock
from genesys_gateway.runtime.errors import GatewayError
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.settings import Settings
from genesys_gateway.storage.statements.conversations import ConversationView
from genesys_gateway.storage.statements.intake import IntakeResult, SupportResultReceipt
from tests.doubles.runtime import FakeClock, runtime
from tests.doubles.storage_in_memory import StorageInMemory

BOFE_TOKEN = "bofe-token-for-tests-0001"
OPS_TOKEN = "ops-token-for-tests-00001"
BACKOFFICE_TOKEN = "backoffice-token-for-tests"

#: Address of the registrations, and a valid registration.
ADDRESS = "/customers/supportInteraction"
CUSTOMER = "11111111-2222-3333-4444-555555555555"
INTERACTION = "0d9f3f0c-6f0e-5b52-9d3f-7a0a6c1e2b44"
PAIR = {"customerId": CUSTOMER, "interactionId": INTERACTION}

ENVIRON = {
    "GENESYS_ENVIRONMENT": "genesys.invalid",
    "GENESYS_GRANT_TYPE": "client-credentials",
    "GENESYS_CLIENT_ID": "client",
    "GENESYS_CLIENT_SECRET": "client-secret",
    "COMMUNICATION_HISTORY_URL": "http://127.0.0.1:9/history",
    "GATEWAY_TOKENS": f"bofe:{BOFE_TOKEN},ops:{OPS_TOKEN},backoffice:{BACKOFFICE_TOKEN}",
}


class FakeRegistration:
    """Registers like the real one, or raises :attr:`error`."""

    def __init__(self) -> None:
        self.views: dict[str, ConversationView] = {}
        self.error: BaseException | None = None
        self.calls = 0

    def register(self, customer_id: str, interaction_id: str) -> Registered:
        self.calls += 1
        if self.error is not None:
            raise self.error
        created = interaction_id not in self.views
        self.views[interaction_id] = view(interaction_id, customer_id)
        return Registered(created=created, view=self.views[interaction_id])

    def view(self, interaction_id: str) -> ConversationView | None:
        if self.error is not None:
            raise self.error
        return self.views.get(interaction_id)


class FakeSupportResults:
    """Keeps the events it takes, or raises :attr:`error`."""

    def __init__(self) -> None:
        self.events: list[AcwEvent] = []
        self.error: BaseException | None = None

    def take(self, result: AcwEvent) -> SupportResultReceipt:
        if self.error is not None:
            raise self.error
        known = result.record_id in [one.record_id for one in self.events]
        self.events.append(result)
        outcome = IntakeResult.DUPLICATE if known else IntakeResult.STORED
        return SupportResultReceipt(result=outcome, record_id=result.record_id, state="pending")


class FakeWatch:
    """Answers what a test has set; there is never any news."""

    def __init__(self) -> None:
        self.latest = status()
        self.draining = False

    def status(self) -> Status:
        return self.latest

    def wait(self, after: int, seconds: float) -> Status | None:
        return self.latest if self.latest.looked_at > after else None


class FakeGateway:
    """A gateway as far as the HTTP interface needs one."""

    def __init__(self, **environ: str) -> None:
        self.settings = Settings.from_environment(ENVIRON | environ)
        self.metrics = Metrics()
        self.hour = Hour(self.metrics, SystemClock())
        self.registrations = FakeRegistration()
        self.results = FakeSupportResults()
        self.watching = FakeWatch()
        self.serving = True
        self.is_ready = True
        self.clock = FakeClock()
        #: how often records were requeued
        self.requeued = 0

    @property
    def registration(self) -> Registration:
        return cast(Registration, self.registrations)

    @property
    def support_results(self) -> SupportResults:
        return cast(SupportResults, self.results)

    @property
    def watch(self) -> Watch:
        return cast(Watch, self.watching)

    @cached_property
    def storage(self) -> StorageInMemory:
        """Where operators look; it stands apart from what is registered above."""
        return StorageInMemory(self.clock)

    @cached_property
    def records(self) -> Records:
        return Records(
            self.storage, self.settings, runtime(self.clock, [], metrics=self.metrics), requeued=self._note_requeued
        )

    @cached_property
    def conversations(self) -> Conversations:
        return Conversations(self.storage)

    def close(self) -> None:
        """Close what operators look at; it is empty when it is used again."""
        if "storage" in self.__dict__:
            self.storage.close()
        for name in ("storage", "records", "conversations"):
            self.__dict__.pop(name, None)

    def _note_requeued(self) -> None:
        self.requeued += 1

    def ready(self) -> bool:
        return self.is_ready

    def fail_with(self, error: GatewayError | Exception | None) -> None:
        """Let every call of a use case raise this."""
        self.registrations.error = self.results.error = error


def bearer(token: str) -> dict[str, str]:
    """The header that presents a token."""
    return {"Authorization": f"Bearer {token}"}


def view(interaction_id: str, customer_id: str | None, **changes: Any) -> ConversationView:
    """A conversation created at 2026-11-22T10:00:00Z, pending unless ``changes`` say otherwise."""
    defaults: dict[str, Any] = {"state": "pending", "outcome": None, "records": (), "timeline": ()}
    return ConversationView(
        interaction_id=interaction_id, customer_id=customer_id, created_at=1_795_341_600_000, **defaults | changes
    )


def status(**changes: Any) -> Status:
    """What operators see of a gateway with nothing to do at 2026-11-22T10:00:00Z, except for the ``changes``."""
    defaults: dict[str, Any] = {
        "at": 1_795_341_600_000,
        "looked_at": 1_795_341_600_000,
        "promise": Promise(accepted=0, followed=0, closed=0, unaccounted=0),
        "backlog": 0,
        "dead": 0,
        "uncovered": 0,
        "released": 0,
        "troubles": (),
        "instances": (),
        "channels": (),
    }
    return Status(**defaults | changes)
