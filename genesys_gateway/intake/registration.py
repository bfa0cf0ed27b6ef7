"""Stores BOFE's registration of an interaction, once, and has the conversation followed from then on.

Invariant: when :meth:`Registration.register` returns without an error, the registration is committed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from genesys_gateway.runtime import tracing
from genesys_gateway.runtime.identity import Identity
from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.storage import Connection, JointJob, Storage
from genesys_gateway.storage.statements import conversations
from genesys_gateway.storage.statements.conversations import ConversationView, Newcomer, Pairing


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """The result of a registration."""

    #: whether the conversation had never been registered before
    created: bool
    view: ConversationView


class Registration:
    """Stores registrations, and reads what is stored about an interaction.

    Args:
        identity: The id of this instance.
        follow: Called with each conversation to be followed, after the commit; must not wait.
    """

    def __init__(
        self,
        storage: Storage,
        settings: Settings,
        runtime: Runtime,
        *,
        identity: Identity,
        follow: Callable[[str], None],
    ) -> None:
        self._storage = storage
        self._new = JointJob(storage, "registration", self._register_new)
        self._due_after_ms = round(settings.reconcile_seconds * 1000)
        self._deadline_after_ms = round(settings.follow_deadline_seconds * 1000)
        self._clock = runtime.clock
        self._metrics = runtime.metrics
        self._identity = identity
        self._follow = follow

    def register(self, customer_id: str, interaction_id: str) -> Registered:
        """Pair an interaction (at Genesys: a conversation) with a customer and follow it. Ids are in lower case.

        Returns after the commit. A repetition changes only the deadline, unless the conversation was closed or
        released meanwhile.

        Raises:
            PairedAlready: It is paired with another customer, and delivery of one of its records has begun.
            StorageUnavailable: It is not committed, or that is unknown.
        """

        now = self._clock.now()
        newcomer = Newcomer(
            id=interaction_id,
            customer_id=customer_id,
            now=now,
            due_at=now + self._due_after_ms,
            deadline_at=now + self._deadline_after_ms,
        )
        if (tracer := tracing.active()) is not None:
            tracer.requested(interaction_id)
        pairing, view = Pairing.NEW, self._new.run(newcomer)
        if view is None:
            pairing, view = self._storage.run(partial(self._register, newcomer=newcomer), for_request=True)
        reach("registered")
        if pairing is Pairing.NEW:
            self._metrics.conversations_accepted.inc()
        if pairing is not Pairing.KNOWN:
            self._follow(interaction_id)
        reach("before_answer")
        return Registered(created=pairing is Pairing.NEW, view=view)

    # The id is read within the job: if the lease is lost since the job began, nothing is committed.

    def _register_new(self, connection: Connection, newcomers: Sequence[Newcomer]) -> Sequence[ConversationView | None]:
        return conversations.register_new(connection, newcomers, self._identity.id)

    def _register(self, connection: Connection, newcomer: Newcomer) -> tuple[Pairing, ConversationView]:
        return conversations.register(connection, newcomer, self._identity.id)

    def view(self, interaction_id: str) -> ConversationView | None:
        """Read what is stored about an interaction; None if it was never registered.

        Raises:
            StorageUnavailable: It can't be read now.
        """
        return self._storage.run(lambda connection: conversations.view(connection, interaction_id), for_request=True)
