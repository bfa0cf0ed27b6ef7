"""Plays the bank's identity provider: writes fresh assertions into the file that the gateway reads."""

import base64
import secrets
import time
from pathlib import Path

#: Time between two assertions.
_EVERY_SECONDS = 5.0


class IdentityProvider:
    """Writes an assertion now and then; Genesys accepts each only once, so the file must hold a fresh one."""

    def __init__(self, file: Path) -> None:
        self.file = file
        #: When it writes the next one; None: it does not work.
        self._next: float | None = 0.0

    @property
    def works(self) -> bool:
        """Whether it writes assertions."""
        return self._next is not None

    def fail(self) -> None:
        """Write no more, and take the last one away."""
        self._next = None
        self.file.unlink(missing_ok=True)

    def recover(self) -> None:
        """Write again if it failed."""
        if self._next is None:
            self._next = 0.0

    def write_if_due(self) -> None:
        """Write a fresh assertion if the last one is old enough."""
        if self._next is None or time.monotonic() < self._next:
            return
        fresh = self.file.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_bytes(base64.b64encode(b"assertion " + secrets.token_bytes(32)))
        fresh.replace(self.file)
        self._next = time.monotonic() + _EVERY_SECONDS
