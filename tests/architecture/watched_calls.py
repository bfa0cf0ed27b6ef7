"""The four calls that :mod:`tests.architecture.path` watches, on the doubles and ``sqlite://``."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import gevent
from gevent.socket import socket

from app import create_app
from genesys_gateway.channels import ChannelRegistry, RegistryListener
from genesys_gateway.delivery import Delivery, HistoryClient
from genesys_gateway.domain.after_call_work import AcwEvent
from genesys_gateway.genesys import Genesys, NameCache, RateLimiter, Tokens
from genesys_gateway.genesys.load import Load
from genesys_gateway.intake import EventSpool, Registration
from genesys_gateway.reconciliation import Inquiry, Reconciliation, ReconciliationListener
from genesys_gateway.runtime.http_client import HttpClient
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.runtime.metrics import Metrics
from genesys_gateway.storage import Storage
from tests.doubles import genesys_answers, stored_rows
from tests.doubles.channels import FakeGenesys, context, eventually
from tests.doubles.genesys import PLENTY, answer, request_of, settings
from tests.doubles.runtime import FakeClock, runtime, until
from tests.doubles.web import BOFE_TOKEN, FakeGateway

CONVERSATION, OWNER = genesys_answers.CONVERSATION, "00000000-0000-4000-8000-000000000001"
BODY = {"customerId": stored_rows.CUSTOMER, "interactionId": CONVERSATION}
EVENT = {"conversationId": CONVERSATION, "participantId": "p", "sessionId": "s", "eventTime": stored_rows.NOW}
NOTIFICATION = {"topicName": f"v2.detail.events.conversation.{CONVERSATION}.acw", "eventBody": EVENT}
LEG = genesys_answers.call(1, genesys_answers.COMPLETE)
ENDED = genesys_answers.answer(genesys_answers.agent(1, calls=[LEG], wrapup=genesys_answers.WRAPUP))


def ignore(*_: object) -> None:
    """A callback whose work belongs to another call."""


def serve(connection: socket) -> None:
    """Answer as the login host, as Genesys and as CommunicationHistory do."""
    line = request_of(connection).partition(b"\r")[0]
    token = b'{"access_token": "t", "token_type": "bearer", "expires_in": 86399}'
    connection.sendall(answer(token if b"/oauth/" in line else ENDED))


class Calls:
    """The four calls. Each makes everything ready, calls ``begin``, and returns when its result is committed.

    Args:
        url: A server that answers as :func:`serve`.
        begin: Called at the beginning of what is to be watched.
    """

    def __init__(self, url: str, begin: Callable[[], None]) -> None:
        self.begin, self.clock, self.done = begin, FakeClock(), list[str]()
        self.running: list[Any] = []
        self.settings = settings(genesys_login_url=url, genesys_api_url=url, communication_history_url=url)
        self.http = HttpClient(self.settings, url, self.clock, 1)
        self.metrics, self.storage = Metrics(), Storage("sqlite://", self.clock)
        self.runtime = runtime(self.clock, [], metrics=self.metrics)
        self.spool = EventSpool(
            self.storage,
            self.settings,
            self.runtime,
            identity=Identity(OWNER),
            stored=self.note,
            due=ignore,
            first_question=lambda _: 0.0,
            unfollow=ignore,
        )
        self.genesys = FakeGenesys(self.clock)
        callbacks = {name: getattr(self.spool, name) for name in ("notified", "covered", "uncovered", "rejected")}
        listener = RegistryListener(**callbacks, created=ignore, closed=ignore)
        self.registry = ChannelRegistry(context(self.genesys, self.clock, self.settings, []), listener)
        self.storage.open()

    def close(self) -> None:
        """Stop every greenlet, so that none is seen in the path of another call."""
        for part in self.running:
            part.stop(1.0)
        self.storage.close()

    def note(self, *_: object) -> None:
        self.done.append("committed")

    def follow(self) -> None:
        self.storage.run(lambda c: stored_rows.put_conversations(c, stored_rows.open_row(CONVERSATION, owner=OWNER)))

    def registration(self) -> None:
        """BOFE registers an interaction: from the request to the answer."""
        gateway, follow = FakeGateway(), self.registry.follow
        use_case = Registration(self.storage, gateway.settings, self.runtime, identity=Identity(OWNER), follow=follow)
        gateway.registrations = cast(Any, use_case)
        client = create_app(gateway).test_client()
        self.begin()
        headers = {"Authorization": f"Bearer {BOFE_TOKEN}"}
        assert client.post("/customers/supportInteraction", json=BODY, headers=headers).status_code == 201

    def event(self) -> None:
        """A notification arrives on a socket: until the event is in the outbox."""
        self.follow()
        self.running += [self.registry, self.spool]
        self.spool.start()
        self.registry.start([CONVERSATION])
        eventually(lambda: CONVERSATION in self.registry.covered(), self.clock)
        gevent.sleep(0.2)  # until the coverage is stored
        self.begin()
        self.genesys.deliver(CONVERSATION, NOTIFICATION)
        until(lambda: self.done)

    def delivery_attempt(self) -> None:
        """An entry is due: until its record is sent and marked as delivered. The names are known."""
        calls = SimpleNamespace(user_name=str, user_names=dict, wrapup_name=str, wrapup_names=dict)
        names = NameCache(cast(Genesys, calls), self.clock, **PLENTY)
        history = HistoryClient(self.settings, self.http, self.clock, self.runtime.metrics)
        delivery = Delivery(self.storage, history, names, self.settings, self.runtime, identity=Identity(OWNER))
        content = AcwEvent(conversation_id=CONVERSATION, participant_id=OWNER, session_id=OWNER).to_json()
        row = stored_rows.pending_row(OWNER, CONVERSATION, content=content, attempt=0, names=None, last_error=None)
        self.running.append(delivery)
        delivery.start()
        gevent.sleep(0.2)  # until it has found nothing to do
        self.storage.run(lambda c: stored_rows.put_entries(c, row))
        self.begin()
        delivery.wake()
        delivered = {"outcome": "delivered"}
        until(lambda: self.metrics.registry.get_sample_value("genesys_gateway_deliveries_total", delivered))

    def reconciliation_answer(self) -> None:
        """A conversation is due: Genesys is asked, and names an after-call work; until that is in the outbox."""
        tokens = Tokens(self.settings, self.http, self.clock, self.metrics)
        limiter = RateLimiter(300, self.clock)
        genesys = Genesys(self.settings, self.http, tokens, limiter, self.clock, self.metrics)
        asker = Reconciliation(
            self.storage,
            Inquiry(genesys, self.settings, self.clock),
            self.settings,
            self.runtime,
            identity=Identity(OWNER),
            load=Load(limiter, self.clock),
            topics_scarce=lambda: False,
            listener=ReconciliationListener(stored=self.note, unfollow=ignore, follow=ignore, agents_seen=ignore),
        )
        self.running.append(asker)
        tokens.current()
        self.follow()
        self.begin()
        asker.start()
        until(lambda: self.done)
