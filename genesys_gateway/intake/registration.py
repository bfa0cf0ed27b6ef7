"""BOFE registers an interaction: it is remembered, once, and followed from then on.

Law: whoever returns from :meth:`Registration.register` without an error has a promise that is on disk.
"""

from collections.abc import Callable
from dataclasses import dataclass

from genesys_gateway.runtime.kill_points import reach
from genesys_gateway.runtime.shared import Runtime
from genesys_gateway.settings import Settings
from genesys_gateway.storage import Connection, Storage
from genesys_gateway.storage.statements import conversations
from genesys_gateway.storage.statements.conversations import ConversationView, Pairing


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What became of a registration."""

    #: whether the conversation was unknown before
    created: bool
    view: ConversationView


class Registration:
    """Takes registrations and tells of them.

    Args:
        owner: Id of this instance.
        follow: Told each conversation to be followed, after the commit; must not wait.
    """

    def __init__(
        self,
        storage: Storage,
        settings: Settings,
        runtime: Runtime,
        *,
        owner: str,
        follow: Callable[[str], None],
    ) -> None:
        self._storage = storage
        self._settings = settings
        self._clock = runtime.clock
        self._metrics = runtime.metrics
        self._owner = owner
        self._follow = follow

    def register(self, customer_id: str, interaction_id: str) -> Registered:
        """Pair an interaction (Genesys: conversation) with a customer and follow it; ids in lower case.

        Returns after the commit. A repetition changes nothing but the conversation's deadline.

        Raises:
            PairedAlready: It is paired with another customer, and a first delivery attempt has begun.
            StorageUnavailable: Nothing is promised.
        """

        def job(connection: Connection) -> tuple[Pairing, ConversationView]:
            now = self._clock.now()
            return conversations.register(
                connection,
                interaction_id,
                customer_id,
                owner=self._owner,
                now=now,
                due_at=now + round(self._settings.reconcile_seconds * 1000),
                deadline_at=now + round(self._settings.follow_deadline_seconds * 1000),
            )

        pairing, view = self._storage.run(job)
        reach("registered")
        if pairing is Pairing.NEW:
            self._metrics.conversations_accepted.inc()
        if pairing is not Pairing.KNOWN:
            self._follow(interaction_id)
        reach("before_answer")
        return Registered(created=pairing is Pairing.NEW, view=view)

    def view(self, interaction_id: str) -> ConversationView | None:
        """What is known of an interaction; None when it was never registered.

        Raises:
            StorageUnavailable: It can't be read now.
        """
        return self._storage.run(lambda connection: conversations.view(connection, interaction_id))
