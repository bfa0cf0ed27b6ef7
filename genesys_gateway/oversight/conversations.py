"""What operators see of conversations: a list, newest first, and everything that is known of one.

Invariant: the state of a conversation is the one that its callers see.
"""

from functools import partial

from genesys_gateway.oversight.paging import Page, page_of, place_of
from genesys_gateway.storage import Storage
from genesys_gateway.storage.statements import inspection, listing
from genesys_gateway.storage.statements.inspection import ConversationFacts
from genesys_gateway.storage.statements.listing import ConversationItem

#: Name of the list in its cursors.
_LIST = "conversations"


class Conversations:
    """All conversations, for operators.

    Args:
        storage: The database.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def page(
        self,
        *,
        state: str | None = None,
        beginning: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
        unresolved: bool = False,
    ) -> Page[ConversationItem]:
        """A page of the conversations, newest first.

        Args:
            state: Only those in this state: pending, subscribed or closed.
            beginning: Only those whose id begins so: hexadecimal digits in lower case, and dashes.
            cursor: That of the page, from the page before; None for the first one.
            limit: Maximum number of conversations.
            unresolved: Only those that were closed as unresolved, until their content is erased.

        Raises:
            NotOfThisList: The cursor is none of this list with these filters.
            StorageUnavailable: The database can't be read now.
        """
        filters = (_LIST, state, beginning, *(["unresolved"] if unresolved else []))
        read = partial(
            listing.conversations,
            state=state,
            beginning=beginning,
            after=place_of(cursor, *filters),
            limit=limit + 1,
            unresolved=unresolved,
        )
        return page_of(self._storage.run(read, for_request=True), limit, lambda line: line.place, *filters)

    def facts(self, conversation_id: str) -> ConversationFacts | None:
        """Everything that is known of one conversation, for :func:`~.explanation.explain`; None if never registered.

        Raises:
            StorageUnavailable: The database can't be read now.
        """
        return self._storage.run(lambda c: inspection.conversation_facts(c, conversation_id), for_request=True)
