"""Pages of a list: a page with the cursor of the next one, and the reading of cursors.

A cursor holds the place at which its page has ended, and the name and filters of its list, as a checksum. It is no
secret: a caller who makes one up reads a list that the caller may read anyway, from another place that lines can
have.

Invariant: pure. A cursor that was not written for this list with these filters is refused.
"""

import hashlib
import re
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from genesys_gateway.runtime.errors import CallerError
from genesys_gateway.storage.statements.listing import Place

T = TypeVar("T")

#: What the ids of lists are made of, and the end of the dates that they may have: the databases know no larger ones.
_ID, _END = re.compile("[0-9a-f-]{1,36}"), 2**53
#: Maximum length of a cursor, in characters.
_LONGEST = 200
_DATE = struct.Struct(">q")
_CHECK_BYTES = 12


class NotOfThisList(CallerError):
    """The cursor is none, or was written for another list or other filters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A part of a list."""

    items: tuple[T, ...]
    #: cursor of the page that follows; None after the last one
    next: str | None


def page_of(lines: Sequence[T], limit: int, place: Callable[[T], Place], *of: str | None) -> Page[T]:
    """The page that begins with these lines, of which there is one more than ``limit`` if another page follows.

    Args:
        lines: What was read.
        limit: Number of lines of a page.
        place: The place of a line.
        of: Name and filters of the list.
    """
    shown = tuple(lines[:limit])
    return Page(items=shown, next=cursor_after(place(shown[-1]), *of) if len(lines) > limit else None)


def cursor_after(place: Place, *of: str | None) -> str:
    """The cursor of the page that begins after this place of a list."""
    held = _DATE.pack(place.at) + place.id.encode()
    return urlsafe_b64encode(_check(held, of) + held).decode().rstrip("=")


def place_of(cursor: str | None, *of: str | None) -> Place | None:
    """The place that a cursor of this list holds; None for None: the list is read from its beginning.

    Raises:
        NotOfThisList: It was not written by :func:`cursor_after` for the same list.
    """
    if cursor is None:
        return None
    try:
        raw = urlsafe_b64decode(cursor[:_LONGEST] + "=" * (-len(cursor) % 4))
        held = raw[_CHECK_BYTES:]
        place = Place(at=_DATE.unpack(held[: _DATE.size])[0], id=held[_DATE.size :].decode())
    except (ValueError, struct.error):
        raise NotOfThisList("no cursor") from None
    if not (0 <= place.at < _END and _ID.fullmatch(place.id)):
        raise NotOfThisList("a place that no list has")
    # Written again, because a text may be decoded to the same bytes as another one.
    if cursor_after(place, *of) != cursor:
        raise NotOfThisList("a cursor of another list")
    return place


def _check(held: bytes, of: Sequence[str | None]) -> bytes:
    described = b"\0".join([b"-" if one is None else b"=" + one.encode() for one in of])
    return hashlib.sha256(described + b"\0\0" + held).digest()[:_CHECK_BYTES]
