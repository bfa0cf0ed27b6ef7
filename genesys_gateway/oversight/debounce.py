"""Keeps back what is wrong for a moment only: a socket that is opened again, a lease that is renewed late.

Invariant: pure. What lasts is shown after a few looks; what was shown once is shown until a look no longer finds it.
"""

from collections.abc import Collection, Iterable

from genesys_gateway.oversight.finding import Code, Finding

#: How long these must be found without a break before they are shown, in seconds.
_SECONDS = 2.5
_FLEETING: frozenset[Code] = frozenset({"uncovered", "instance_lost"})


class Debounce:
    """What was found, and since when every look has found it, in monotonic seconds."""

    def __init__(self) -> None:
        self._since: dict[Code, float] = {}

    @property
    def waiting(self) -> bool:
        """Whether something is kept back, so that the next look should come soon."""
        return bool(self._since)

    def settled(self, found: Iterable[Finding], *, shown: Collection[Code], now: float) -> list[Finding]:
        """Return what is to be shown of what this look has found.

        Args:
            shown: What is shown already, here or by another instance.
            now: Monotonic seconds.
        """
        result, kept_back = [], {}
        for one in found:
            since = self._since.get(one.code, now)
            if one.code in _FLEETING and one.code not in shown and now - since < _SECONDS:
                kept_back[one.code] = since
            else:
                result.append(one)
        self._since = kept_back
        return result
