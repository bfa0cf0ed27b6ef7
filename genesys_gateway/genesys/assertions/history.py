"""What became of each assertion that was sent, and which one may be sent again.

Whether Genesys accepts an assertion twice is not documented. So availability decides: an assertion that was never sent
goes first; where there is none, the last one goes again.

Invariant: an assertion that Genesys refused is not sent again, not even by the next process or another instance. One
that was sent before is not sent again once its own ``NotOnOrAfter`` has passed. Only fingerprints leave the memory.
"""

import hashlib
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Literal, Protocol

from genesys_gateway.genesys.assertions.validity import validity
from genesys_gateway.runtime.clock import Clock
from genesys_gateway.runtime.errors import StorageUnavailable, TransientFailure
from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.runtime.sampled_log import SampledLog

#: ``sent``: it may have reached Genesys, and there was no answer to it; ``granted``: Genesys gave a token for it;
#: ``refused``: Genesys answered that it is no valid grant. A later one replaces an earlier one, never the reverse.
Fate = Literal["sent", "granted", "refused"]

_ORDER: tuple[Fate, ...] = ("sent", "granted", "refused")
#: Number of fingerprints that are kept in memory for the time in which the database can't be reached.
_KEPT = 100
#: Number of assertions kept in memory so that they can be sent again: the last one, and the one before if that was
#: refused.
_KEPT_TEXTS = 2

log = get_logger(__name__)


class SentAssertions(Protocol):
    """Remembers lastingly what became of assertions, by fingerprint. Each method may raise StorageUnavailable."""

    def fate(self, fingerprint: str) -> Fate | None:
        """What became of an assertion; None if it was never sent."""

    def note(self, fingerprint: str, fate: Fate) -> None:
        """Note lastingly what became of an assertion, unless something later is noted."""


class InMemorySentAssertions:
    """Remembers for the life of the process; for use without a database."""

    def __init__(self) -> None:
        self._fates: dict[str, Fate] = {}

    def fate(self, fingerprint: str) -> Fate | None:
        """What became of an assertion; None if it was never sent."""
        return self._fates.get(fingerprint)

    def note(self, fingerprint: str, fate: Fate) -> None:
        """Note what became of an assertion."""
        self._fates[fingerprint] = _later(self._fates.get(fingerprint), fate)


class AssertionHistory:
    """Notes what becomes of the assertions of one source.

    While the database can't be reached, what this process knows decides: no token is worse than one assertion that is
    sent a second time.
    """

    def __init__(self, stored: SentAssertions, clock: Clock) -> None:
        self._stored = stored
        self._clock = clock
        self._logger = SampledLog(log, self._clock)
        self._known: OrderedDict[str, Fate] = OrderedDict()
        self._unstored: dict[str, Fate] = {}
        self._texts: deque[str] = deque(maxlen=_KEPT_TEXTS)

    def fate(self, assertion: str) -> Fate | None:
        """What became of the assertion; None if it was never sent, as far as can be told now."""
        fingerprint = _fingerprint(assertion)
        try:
            self._store()
            stored = self._stored.fate(fingerprint)
        except StorageUnavailable:
            return self._known.get(fingerprint)
        return stored if stored is None else self._remember(fingerprint, stored)

    def over(self, assertion: str) -> bool:
        """Whether the assertion's own ``NotOnOrAfter`` has passed."""
        return validity(assertion).over(self._clock.now())

    def may_be_sent(self, assertion: str) -> bool:
        """Whether it was never sent, or was sent and neither refused nor out of date."""
        fate = self.fate(assertion)
        return fate is None or (fate != "refused" and not self.over(assertion))

    def next_to_send(self, from_source: Callable[[], str]) -> str:
        """The assertion of the source, or else the last one that may be sent again; noted as about to be sent.

        Args:
            from_source: Returns an assertion that may be sent. What it raises is raised here if there is no other.
        """
        try:
            assertion = from_source()
        except TransientFailure:
            again = self._last_that_may_be_sent()
            if again is None:
                raise
            assertion = again
        if assertion in self._texts:
            self._texts.remove(assertion)
        self._texts.append(assertion)
        self._note(assertion, "sent")
        return assertion

    def answered(self, fate: Fate) -> None:
        """Note what became of the assertion that was sent last."""
        if self._texts:
            self._note(self._texts[-1], fate)

    def _last_that_may_be_sent(self) -> str | None:
        return next((text for text in reversed(self._texts) if self.may_be_sent(text)), None)

    def _note(self, assertion: str, fate: Fate) -> None:
        fingerprint = _fingerprint(assertion)
        self._unstored[fingerprint] = self._remember(fingerprint, fate)
        try:
            self._store()
        except StorageUnavailable as error:
            self._logger.warning("assertion_not_noted", error=str(error))  # it is noted with the next look or note

    def _remember(self, fingerprint: str, fate: Fate) -> Fate:
        self._known[fingerprint] = found = _later(self._known.get(fingerprint), fate)
        self._known.move_to_end(fingerprint)
        while len(self._known) > _KEPT:
            gone, _ = self._known.popitem(last=False)
            self._unstored.pop(gone, None)
        return found

    def _store(self) -> None:
        for fingerprint, fate in list(self._unstored.items()):
            self._stored.note(fingerprint, fate)
            if self._unstored.get(fingerprint) == fate:  # another greenlet may have noted something later meanwhile
                del self._unstored[fingerprint]


def _later(one: Fate | None, other: Fate) -> Fate:
    return other if one is None else max(one, other, key=_ORDER.index)


def _fingerprint(assertion: str) -> str:
    return hashlib.sha256(assertion.encode()).hexdigest()
