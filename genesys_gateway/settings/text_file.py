"""Reads a small text file as people and tools leave it: with a byte order mark, any line breaks, blanks around it.

Invariant: what is returned is plain text. Any other file is named for what it is, and its content is never shown.
"""

import codecs
from pathlib import Path

#: The marks at the beginning of a text that is not UTF-8. UTF-32 comes first: its mark begins with that of UTF-16.
_FOREIGN_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
#: The byte order mark as a character: invisible, and in front of each part of a file that was joined from several.
_MARK = "\ufeff"


def read_text(path: Path, most_bytes: int) -> str:
    """The text in a file, as :func:`plain_text` returns it.

    Raises:
        ValueError: The path is no file, the file can't be read, is empty or too big, or is no text. The message goes
            on after the name of the file.
    """
    try:
        if path.exists() and not path.is_file():
            # Checked first: opening a named pipe waits for its writer.
            raise ValueError("is a directory" if path.is_dir() else "is no regular file")
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except OSError as error:
        raise ValueError(f"can't be read: {error.strerror}") from error
    if len(content) > most_bytes:
        raise ValueError(f"is too big: it has more than {most_bytes} bytes")
    text = plain_text(content)
    if not text:
        raise ValueError("is empty")
    return text


def plain_text(content: bytes) -> str:
    r"""The text in UTF-8: without byte order marks, with ``\n`` as its only line break, without blanks around it.

    Raises:
        ValueError: The bytes are no text in UTF-8. The message goes on after the name of their source.
    """
    if encoding := foreign_encoding(content):
        raise ValueError(f"is {encoding} text; save it as UTF-8")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ValueError("is not UTF-8 text") from error
    if "\0" in text:
        raise ValueError("is not text: it has bytes of value 0")
    return plain(text)


def plain(text: str) -> str:
    """The text as :func:`plain_text` returns it."""
    return text.replace(_MARK, "").replace("\r\n", "\n").replace("\r", "\n").strip()


def foreign_encoding(content: bytes) -> str | None:
    """The encoding of a text that is not UTF-8, as far as its beginning tells: UTF-16 or UTF-32; else None."""
    for mark, encoding in _FOREIGN_MARKS:
        if content.startswith(mark):
            return encoding
    # Without a mark: ASCII letters in UTF-16 have a zero in every other byte.
    halves = (content[0::2], content[1::2])
    if len(content) > 1 and any(half.count(0) == len(half) for half in halves):
        return "UTF-16"
    return None
