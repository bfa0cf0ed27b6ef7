"""Hypothesis strategies for bad bodies: hostile ones, and samples with a wrong value in some place."""

from typing import Any

import orjson
from hypothesis import strategies as st

#: Bodies to try on every reader, which random data would hardly produce.
NASTY: tuple[bytes, ...] = (
    b"",
    b"null",
    b"[]",
    b"42",
    b'""',
    b"{}",
    b"{",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"id": NaN, "entities": Infinity}',
    b'{"id": 1e999, "expires_in": 1e999}',
    b'{"expires_in": 123456789012345678901234567890}',
    b'{"id": "a\\u0000b", "access_token": "\\u0000", "expires_in": 60}',
    b'{"id": "\\ud800", "access_token": "\\udfff", "expires_in": 60}',
    b'{"id": "\xff\xfe", "name": "\xc3\x28"}',
    b'{"id": "a", "id": "b", "entities": [], "entities": {}}',
    b'\xef\xbb\xbf{"id": "with a byte order mark"}',
    b'{"id": "' + b"a" * 1_000_000 + b'"}',
    b'{"entities": [' + b"{}," * 100_000 + b"{}]}",
    b"<html><body>Bad gateway</body></html>",
)

_SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(
        ["", " ", "\x00", "a\nb", "\u2028", "0" * 300, "2026-11-22T10:00:00Z", "9999-12-31T23:59:59+00:00"]
    ),
    st.sampled_from(["0001-01-01T00:00:00+23:59", "2026-11-22", "NaN", "Rejected", "../..", "%00", "true", "-1"]),
)

#: Any JSON value.
VALUES: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def bodies(sample: Any) -> st.SearchStrategy[bytes]:
    """Bodies like the sample, but cut off or with another value in some place; and the NASTY ones."""
    whole = orjson.dumps(sample)
    return st.one_of(
        st.sampled_from(NASTY),
        st.binary(max_size=60),
        st.integers(0, len(whole)).map(lambda length: whole[:length]),
        st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)).map(lambda at: _with_byte(whole, *at)),
        _changed(sample).map(_dumped),
    )


def _with_byte(whole: bytes, at: int, byte: int) -> bytes:
    return whole[:at] + bytes([byte]) + whole[at + 1 :]


def _dumped(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # a lone surrogate
        return b'"\\ud800"'


def _changed(sample: Any) -> st.SearchStrategy[Any]:
    paths = list(_paths(sample))
    change = st.tuples(st.sampled_from(paths), VALUES)
    return st.lists(change, min_size=1, max_size=3).map(lambda changes: _apply(sample, changes))


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, one in inside for deeper in _paths(one, (*path, key)))]


def _apply(sample: Any, changes: list[tuple[tuple[Any, ...], Any]]) -> Any:
    changed = orjson.loads(orjson.dumps(sample))
    for path, value in changes:
        changed = _put(changed, path, value)
    return changed


def _put(target: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(target, dict) and key in target:
        return target | {key: _put(target[key], rest, value)}
    if isinstance(target, list) and isinstance(key, int) and key < len(target):
        return [*target[:key], _put(target[key], rest, value), *target[key + 1 :]]
    return target  # an earlier change removed this path
