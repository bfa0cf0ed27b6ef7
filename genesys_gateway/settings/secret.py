"""A secret: checked when it is read, reread from its file, and hidden when printed.

Invariant: only ``reveal()`` returns the secret, and an unusable file never replaces a secret that was usable.
"""

import re
import time
from collections.abc import Callable
from pathlib import Path

from genesys_gateway.runtime.logs import get_logger
from genesys_gateway.settings.text_file import plain, read_text

#: Age in seconds at which a secret is read again from its file.
REREAD_SECONDS = 60.0
#: Maximum size of a secret file in bytes. A larger one is probably the wrong path.
MAX_FILE_BYTES = 64 * 1024
#: Roles of callers, as named in GATEWAY_TOKENS.
ROLES = ("bofe", "backoffice", "ops")
#: Minimum number of characters of a role token; a shorter one could be guessed.
MIN_TOKEN_LENGTH = 8

_VISIBLE = re.compile(r"[!-~]+")

log = get_logger(__name__)


def one_word(text: str) -> str:
    """A secret that fits into an HTTP header or a form field.

    Raises:
        ValueError: It is empty, or contains a space, a line break or a character that is not ASCII.
    """
    if not _VISIBLE.fullmatch(text):
        raise ValueError("must be one word of visible ASCII characters")
    return text


def role_tokens(text: str) -> tuple[tuple[str, str], ...]:
    """The (role, token) pairs of ``bofe:token,ops:other``, separated by commas or line breaks.

    Raises:
        ValueError: There is no pair, or one has no colon, an unknown role or an unusable token. The message never
            contains the token.
    """
    words = [word.strip() for word in re.split(r"[,\n]", plain(text))]
    pairs = tuple(_role_token(word) for word in words if word)
    if not pairs:
        raise ValueError("holds no role:token pair")
    return pairs


def _role_token(word: str) -> tuple[str, str]:
    role, colon, token = (part.strip() for part in word.partition(":"))
    if not colon:
        raise ValueError("must be role:token pairs, separated by commas or line breaks")
    if role not in ROLES:
        raise ValueError(f"knows the roles {', '.join(ROLES)} only")
    if len(token) < MIN_TOKEN_LENGTH:
        raise ValueError(f"has a token of role {role} with less than {MIN_TOKEN_LENGTH} characters")
    return role, one_word(token)


class Secret:
    """A value that can be used but is not shown when printed.

    Args:
        value: The secret itself.
        file: The file it was read from; None if it came from the environment and never changes.
        check: Raises ValueError for a text that must not replace the current value.
        monotonic: A clock in seconds, to measure the age of the value.
    """

    __slots__ = ("_check", "_file", "_monotonic", "_read_at", "_value")

    def __init__(
        self,
        value: str,
        *,
        file: Path | None = None,
        check: Callable[[str], object] = one_word,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._value = value
        self._file = file
        self._check = check
        self._monotonic = monotonic
        self._read_at = monotonic()

    @classmethod
    def of(cls, text: str, check: Callable[[str], object] = one_word) -> "Secret":
        """Create a secret that never changes. Raises ValueError if ``check`` does."""
        check(text)
        return cls(text, check=check)

    @classmethod
    def of_file(cls, path: Path, check: Callable[[str], object] = one_word) -> "Secret":
        """Create a secret from a file.

        Raises:
            ValueError: :func:`read_text` or ``check`` raised it.
        """
        return cls(_read(path, check), file=path, check=check)

    def reveal(self) -> str:
        """Return the secret. If it is from a file and was read over ``REREAD_SECONDS`` ago, read the file first."""
        if self._file is not None and self._monotonic() - self._read_at >= REREAD_SECONDS:
            self.refresh()
        return self._value

    def refresh(self) -> None:
        """Read the file now, for example after a 401. If that fails, log it and keep the current secret."""
        if self._file is None:
            return
        self._read_at = self._monotonic()
        try:
            self._value = _read(self._file, self._check)
        except ValueError as error:
            log.warning("secret_file_unusable", file=str(self._file), reason=str(error))

    def __repr__(self) -> str:
        return "Secret(hidden)"


def _read(path: Path, check: Callable[[str], object]) -> str:
    text = read_text(path, MAX_FILE_BYTES)
    check(text)
    return text
