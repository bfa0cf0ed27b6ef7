"""The id under which this process is known to the other instances.

Invariant: an id is never used again once its lease is lost, because other instances may have taken over its work.
"""

from uuid import uuid4


class Identity:
    """The id of this instance now.

    Args:
        first: The first id; without it a random one.
    """

    __slots__ = ("id",)

    def __init__(self, first: str | None = None) -> None:
        self.id = first or str(uuid4())

    def renew(self) -> None:
        """Take a new id: what was owned under the old one belongs to the instances that adopt it."""
        self.id = str(uuid4())
