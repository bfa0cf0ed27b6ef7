"""A storage that counts its transactions."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from genesys_gateway.storage import Storage

T = TypeVar("T")


class CountedStorage(Storage):
    """Counts its transactions."""

    jobs = 0

    def run(self, job: Callable[[Connection], T], *, for_request: bool = False) -> T:
        self.jobs += 1
        return super().run(job, for_request=for_request)
