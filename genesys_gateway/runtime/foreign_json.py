"""Reads JSON that others wrote: in pieces, so that a large one does not hold the hub, and with odd text made readable.

Invariant: what is returned can be stored and sent: no text in it holds half a character or a NUL, which databases
refuse. Each of these, and each byte that is not UTF-8, becomes U+FFFD.

orjson reads what is proper JSON, which is almost everything. Only what it refuses is read by the standard library,
which is slower and more patient: it takes half an emoji, control characters, NaN and numbers of any length.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import orjson

from genesys_gateway.runtime.greenlets import collections_put_off, let_others_run, paced

#: Maximum number of bytes that are parsed without a pause; takes about 2 ms.
PIECE_BYTES = 256 * 1024
#: Maximum number of objects and lists in each other that are each larger than a piece. Genesys's answers have seven.
_LARGE_LEVELS = 32
#: Objects and lists of the first three levels are read apart from their neighbours although they are small: among them
#: are the items of an answer such as ``{"conversations": [{…}, {…}]}``.
_APART_LEVELS = 3
#: Maximum number of small objects and lists that are read apart; what comes after them is read together.
_MOST_APART = 10_000
#: Maximum number of objects and lists in each other, however small, so that the memory they take is bounded.
_MOST_LEVELS = 500_000
#: Number of bytes after which the search for brackets looks whether it is time for a pause.
_SEARCHED_BYTES = 4096
#: Number of bytes before the end of a stretch in which a comma is looked for.
_COMMA_BYTES = 64

#: The least and the greatest integer that orjson reads as one, and the length of the longer of them in characters.
_INTEGERS = (-(2**63), 2**64 - 1)
_LONGEST_INTEGER = 20

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")
_NUL_ESCAPE = b"\\u0000"
_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
# Skips what is neither bracket nor text, and short texts without a backslash. A match ends behind a bracket, behind the
# quote that opens any other text, or after 64 skipped pieces, so that each step is short.
_SKIPPED = rb'[^{}\[\]"]{1,4096}+|"[^"\\]{0,200}+"'
_NEXT = re.compile(rb'(?:%s){0,64}+([{}\[\]"])?' % _SKIPPED)
# The same, and skips short objects and lists that hold no other: that saves nine tenths of the steps.
_FLAT = rb'[{\[](?:[^{}\[\]"]{1,256}+|"[^"\\]{0,200}+"){0,64}+[}\]]'
_NEXT_BIG = re.compile(rb'(?:%s|%s){0,64}+([{}\[\]"])?' % (_SKIPPED, _FLAT))
# What stands inside a text, up to its closing quote or as far as one step goes. An escaped quote does not close it.
_INSIDE_TEXT = re.compile(rb'(?:[^"\\]{1,256}+|\\.){0,1024}+', re.DOTALL)
_COMMA_NEXT = re.compile(rb"[ \t\r\n]*+,")


class NotJson(ValueError):
    """These bytes are not JSON, not even with odd text made readable."""


def read(text: bytes, *, piece_bytes: int = PIECE_BYTES) -> Any:
    """The JSON value of these bytes; may pause.

    An object or list in a list that can't be read counts as null: it must not cost its neighbours. In a text of more
    than a piece, a string of more than PIECE_BYTES counts as null too: no field may be so long.

    Args:
        piece_bytes: Maximum number of bytes that are parsed without a pause.

    Raises:
        NotJson: As a whole it can't be read, or it is larger than a piece and not an object.
    """
    if len(text) <= piece_bytes:
        with suppress(NotJson):  # then perhaps parts of it can be read
            return _read_piece(text)
    return _Apart(text.removeprefix(_BOM).strip(_SPACE), piece_bytes).value()


@contextmanager
def reading(text: bytes) -> Iterator[Any]:
    """Like :func:`read`, for a value that is not kept: while it is worked on, and when it is freed, the hub goes on.

    A value of 5 MB has half a million objects. The garbage collector would walk all of them in one go several times,
    and freeing them in one go takes as long.
    """
    if len(text) <= PIECE_BYTES:
        yield read(text)
        return
    with collections_put_off():
        value = read(text)
        try:
            yield value
        finally:
            _free(value)


def _free(value: Any) -> None:
    left = [value]
    while left:
        let_others_run()
        one = left.pop()
        if isinstance(one, dict):
            left += [member for member in one.values() if isinstance(member, dict | list)]
            one.clear()
        elif isinstance(one, list):
            left += one
            one.clear()


def _read_piece(text: bytes) -> Any:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _read_patiently(text)
    return _storable(value) if _NUL_ESCAPE in text else value


def _read_patiently(text: bytes) -> Any:
    try:
        decoded = text.removeprefix(_BOM).decode("utf-8", "replace")
        value = json.loads(decoded, strict=False, parse_int=_number)
    except (ValueError, RecursionError):
        raise NotJson("not JSON") from None
    return _storable(value)


def _number(digits: str) -> int | float:
    """A whole number. One that 64 bits can't hold becomes a float, as orjson reads it."""
    if len(digits) <= _LONGEST_INTEGER and _INTEGERS[0] <= (number := int(digits)) <= _INTEGERS[1]:
        return number
    return float(digits)


def _storable(value: Any) -> Any:
    """The value without halves of characters and NUL, in keys too."""
    try:
        return _clean(value)
    except RecursionError:
        raise NotJson("too deep") from None


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, list):
        return [_clean(item) for item in paced(value)]
    if isinstance(value, dict):
        return {_clean_text(key): _clean(item) for key, item in paced(value.items())}
    return value


def _clean_text(text: str) -> str:
    # Two halves that belong together are one character already, so each that is left stands alone.
    return _NOT_STORABLE.sub(_REPLACEMENT, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """Members of an object or list that are read at once, up to a part that is read apart."""

    #: without the comma that separates it from what was before; before a part it ends where that begins
    text: bytes
    #: where the part begins; None if there is none, or if it is a string too long to be read
    part: int | None = None
    #: whether a value follows: the part, or a string too long to be read
    open: bool = False

    def key(self) -> str:
        """In an object the key of what follows."""
        colon = self.text.rstrip(_SPACE)
        last = colon.removesuffix(b":").rstrip(_SPACE)
        opening = len(last) - 1
        while opening > 0:
            opening = last.rfind(b'"', 0, opening)
            if not last[:opening].endswith(b"\\"):  # otherwise it is a quote in the key
                return str(_read_piece(last[opening:]))
        raise NotJson("not JSON")


class _Apart:
    """A JSON object that is read in parts.

    First all brackets are paired. That finds the parts to be read apart: those larger than a piece, and those of the
    first levels. What lies between two of them is read at once.
    """

    def __init__(self, text: bytes, piece_bytes: int) -> None:
        if not text.startswith(b"{"):
            raise NotJson("not an object")
        self._text = text
        self._piece_bytes = piece_bytes
        #: where each part that is read apart begins, and where it ends
        self._parts = self._pair_brackets()

    def value(self) -> Any:
        """The value of the whole text. Raises NotJson."""
        if self._parts.get(0) != len(self._text):
            raise NotJson("not JSON")
        return self._part(0, 0)

    def _pair_brackets(self) -> dict[int, int]:
        text, parts, opened = self._text, dict[int, int](), list[int]()
        at = looked = 0
        while at < len(text):
            at, bracket, _ = self._step(at, _NEXT if len(opened) < _APART_LEVELS else _NEXT_BIG)
            if bracket in (b"{", b"["):
                opened.append(at - 1)
            elif bracket is not None:
                if not opened or len(opened) > _MOST_LEVELS:
                    raise NotJson("not JSON")
                begin = opened.pop()
                is_apart = len(opened) < _APART_LEVELS and len(parts) < _MOST_APART
                if is_apart or not opened or at - begin > self._piece_bytes:
                    parts[begin] = at
            if at - looked > _SEARCHED_BYTES:
                let_others_run()
                looked = at
        return parts

    def _step(self, at: int, pattern: re.Pattern[bytes]) -> tuple[int, bytes | None, int]:
        """Go on to behind the next bracket, or to behind the next long text, or as far as one step goes.

        Returns:
            Where the step ended; the bracket before that; where the long text before that begins, or -1.
        """
        found = pattern.match(self._text, at)
        if found is None or found.end() == at:
            raise NotJson("not JSON")
        if found[1] != b'"':
            return found.end(), found[1], -1
        return self._end_of_text(found.end()), None, found.end() - 1

    def _end_of_text(self, at: int) -> int:
        """Where the text ends whose opening quote is before ``at``."""
        while True:
            found = _INSIDE_TEXT.match(self._text, at)
            end = found.end() if found else at
            if self._text.startswith(b'"', end):
                return end + 1
            if end == at:
                raise NotJson("not JSON")
            at = end
            let_others_run()

    def _part(self, begin: int, level: int) -> Any:
        end = self._parts[begin]
        if end - begin <= self._piece_bytes:
            let_others_run()
            try:
                return _read_piece(self._text[begin:end])
            except NotJson:
                if level >= _APART_LEVELS - 1:
                    raise
        if level > _LARGE_LEVELS:
            raise NotJson("too deep")
        is_list = self._text[begin : begin + 1] == b"["
        return self._list(begin, level) if is_list else self._object(begin, level)

    def _list(self, begin: int, level: int) -> list[Any]:
        items: list[Any] = []
        for stretch in self._stretches(begin, level):
            if stretch.text or not stretch.open:
                items += _read_piece(b"[" + stretch.text + (b"null]" if stretch.open else b"]"))
            else:
                items.append(None)
            if stretch.part is not None:
                items[-1] = self._item(stretch.part, level + 1)
        self._require_end(begin, b"]")
        return items

    def _item(self, begin: int, level: int) -> Any:
        try:
            return self._part(begin, level)
        except NotJson:
            return None

    def _object(self, begin: int, level: int) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for stretch in self._stretches(begin, level):
            members |= _read_piece(b"{" + stretch.text + (b"null}" if stretch.open else b"}"))
            if stretch.part is not None:
                members[stretch.key()] = self._part(stretch.part, level + 1)
        self._require_end(begin, b"}")
        return members

    def _require_end(self, begin: int, bracket: bytes) -> None:
        if not self._text.startswith(bracket, self._parts[begin] - 1):
            raise NotJson("not JSON")

    def _stretches(self, begin: int, level: int) -> Iterator[_Stretch]:
        """The members of the object or list that begins there, in stretches of about a piece."""
        end = self._parts[begin] - 1
        pattern = _NEXT if level < _APART_LEVELS - 1 else _NEXT_BIG
        at = start = begin + 1
        depth = 0
        while at < end:
            let_others_run()
            after, bracket, text = self._step(at, pattern)
            opens = bracket in (b"{", b"[")
            if opens and depth == 0 and after - 1 in self._parts:
                yield _Stretch(text=self._between(start, after - 1, begin), part=after - 1, open=True)
                at = start = self._parts[after - 1]
                continue
            if text >= 0 and after - text > PIECE_BYTES:
                yield _Stretch(text=self._between(start, text, begin), open=True)
                at = start = after
                continue
            at = after
            depth += 1 if opens else 0 if bracket is None else -1
            if depth == 0 and at - start > self._piece_bytes and (cut := self._comma_near(at)) > start:
                yield _Stretch(text=self._between(start, cut, begin))
                start = cut
        yield _Stretch(text=self._between(start, end, begin))

    def _comma_near(self, at: int) -> int:
        """A comma between two members, right after ``at`` or shortly before; -1 if there is none."""
        if found := _COMMA_NEXT.match(self._text, at):
            return found.end() - 1
        tail = self._text[at - _COMMA_BYTES : at]
        comma = tail.rfind(b",")
        in_text_or_part = max(tail.rfind(end) for end in (b'"', b"}", b"]"))
        return at - len(tail) + comma if comma > in_text_or_part else -1

    def _between(self, start: int, stop: int, begin: int) -> bytes:
        """What stands there, without the comma that separates it from the members before."""
        text = self._text[start:stop].strip(_SPACE)
        is_first = start == begin + 1
        if not text or is_first:
            return text
        if text[:1] != b",":
            raise NotJson("not JSON")
        return text[1:]
