"""Secrets: where one comes from, how it is renewed from its file, and how it stays off every screen.

Law: a secret is shown by ``reveal()`` only, and a file that turns bad never replaces a secret that was good.
"""

import re
import time
from collections.abc import Callable
from pathlib import Path

from genesys_gateway.runtime.logs import get_logger

#: Seconds a secret read from a file is believed before the file is read again.
REREAD_SECONDS = 60.0
#: Largest secret file we read, in bytes; a bigger one is a mistaken path.
MAX_FILE_BYTES = 64 * 1024
#: Who may call; the names in GATEWAY_TOKENS.
ROLES = ("bofe", "backoffice", "ops")
#: A role token shorter than this can be guessed.
MIN_TOKEN_LENGTH = 8

_VISIBLE = re.compile(r"[!-~]+")

log = get_logger(__name__)


def one_word(text: str) -> str:
    """A secret that will travel in one HTTP header or form field.

    Raises:
        ValueError: It holds a space, a line break or a character that is not ASCII.
    """
    if not _VISIBLE.fullmatch(text):
        raise ValueError("must be one word of visible ASCII characters")
    return text


def role_tokens(text: str) -> tuple[tuple[str, str], ...]:
    """The (role, token) pairs of ``bofe:token,ops:other``; line breaks separate as commas do.

    Raises:
        ValueError: A pair has no colon, an unknown role, or a token that can't be used. The token is not named.
    """
    words = [word.strip() for word in re.split(r"[,\n]", text)]
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
    """A value that may be used but not shown.

    Args:
        value: The secret itself.
        file: Where it was read from; None when it stood in the environment and never changes.
        check: Raises ValueError for a text that must not replace the present one.
        monotonic: Seconds, for the age of what was read.
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
        """A secret given directly. Raises ValueError when ``check`` does."""
        check(text)
        return cls(text, check=check)

    @classmethod
    def of_file(cls, path: Path, check: Callable[[str], object] = one_word) -> "Secret":
        """A secret that stands in a file. Raises ValueError when it can't be read, is empty, or ``check`` does."""
        return cls(_read(path, check), file=path, check=check)

    def reveal(self) -> str:
        """The secret; one from a file is at most a minute old."""
        if self._file is not None and self._monotonic() - self._read_at >= REREAD_SECONDS:
            self.refresh()
        return self._value

    def refresh(self) -> None:
        """Read the file now, as after a 401. When that fails the former secret stays and the log says so."""
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
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        text = content.decode().strip()
    except OSError as error:
        raise ValueError(f"can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError("is not UTF-8 text") from error
    if len(content) > MAX_FILE_BYTES:
        raise ValueError("is too big for a secret")
    if not text:
        raise ValueError("is empty")
    check(text)
    return text
