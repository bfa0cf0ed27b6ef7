import gc
import json
import math

import gevent
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesys_gateway.runtime.foreign_json import PIECE_BYTES, NotJson, read, reading

_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
_scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | _texts
_values = st.recursive(_scalars, lambda inner: st.lists(inner) | st.dictionaries(_texts, inner), max_leaves=40)

#: Text that JSON does not allow, or that no database takes, and what is read instead.
ODD = [
    (rb'"\ud83d"', "\ufffd"),
    (rb'"\ude00"', "\ufffd"),
    (rb'"\ude00\ud83d"', "\ufffd\ufffd"),
    (rb'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
    (rb'"\ud83d\ude00"', "\U0001f600"),
    (rb'"\ud83d \ude00"', "\ufffd \ufffd"),
    (rb'"\\ud83d \ud83d"', "\\ud83d \ufffd"),
    (rb'"\u0000"', "\ufffd"),
    (rb'"\\u0000"', r"\u0000"),
    (b'"\0"', "\ufffd"),
    (b'"a\nb\x1f"', "a\nb\x1f"),
    (b'"\xff"', "\ufffd"),
    (b'"\xf0\x9f\x98"', "\ufffd"),
    (b'"\xed\xa0\xbd\xed\xb8\x80"', "\ufffd" * 6),
    (b"1" * 30, 1e30 / 9),
    (b"9" * 400, math.inf),
    (b"9" * 10_000, math.inf),
    (b"1e999", math.inf),
    (b"-Infinity", -math.inf),
]


@pytest.mark.parametrize(("odd", "expected"), ODD)
def test_odd_text_is_read(odd: bytes, expected: object) -> None:
    found = read(b'{"a": [%s, "x"]}' % odd)["a"]
    assert found == [pytest.approx(expected) if isinstance(expected, float) else expected, "x"]


def test_nan_is_read_as_a_number_that_no_field_takes() -> None:
    assert math.isnan(read(b'{"a": NaN}')["a"])


@pytest.mark.parametrize("odd", [rb"\ud83d", rb"\u0000", b"\xff"])
def test_odd_text_in_a_key_is_read(odd: bytes) -> None:
    assert read(b'{"a%s": 1, "b": 2}' % odd) == {"a\ufffd": 1, "b": 2}


def test_a_byte_order_mark_is_skipped() -> None:
    assert read(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    "text",
    [b"", b" ", b"{", b"}", b'{"a"', b'{"a": 1}}', b"{}{}", b"[1", b'{"a": "', b'{"a": 01}', b"[" * 100_000, b"{]"],
)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(NotJson):
        read(text)


@pytest.mark.parametrize(
    "bad", [b'{"a": undefined}', b"{'a': 1}", b'{"a": 1,}', b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", b"[1}"]
)
@pytest.mark.parametrize("padding", [0, PIECE_BYTES])
def test_one_item_that_is_no_json_costs_no_other(bad: bytes, padding: int) -> None:
    text = b'{"list": [{"a": "%s"}, %s, {"b": [{}]}, {}], "c": 1}' % (b"x" * padding, bad)

    found = read(text)

    assert [*found["list"]][1:] == [None, {"b": [{}]}, {}]
    assert found["c"] == 1


@given(_values, st.sampled_from([None, 1]), st.booleans(), st.sampled_from([1, 60, 300, 5000]))
def test_in_pieces_it_is_the_same_as_at_once(value: object, indent: int | None, ascii_only: bool, piece: int) -> None:
    text = json.dumps({"list": [value, value], "value": value}, indent=indent, ensure_ascii=ascii_only).encode()

    found = read(text, piece_bytes=piece)

    assert found == json.loads(text)


@pytest.mark.parametrize("number", [2**64 - 1, 2**64, 10**25, -(2**63), -(2**63) - 1])
def test_a_number_is_the_same_beside_something_that_only_the_standard_library_reads(number: int) -> None:
    alone, beside = read(b'{"a": %d}' % number)["a"], read(b'{"a": %d, "b": NaN}' % number)["a"]

    assert (type(alone), alone) == (type(beside), beside)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": [%s1]}' % (b"1," * 400_000),
        b'{"a": [%s{}]}' % (b"{}," * 150_000),
        b'{"a": [%s""]}' % (b'"abc",' * 100_000),
        b'{"a": [%s""]}' % (b'"%s\\"]",' % (b"\\\\" * 1000) * 200),
        b'{"a": {%s"": 1}}' % b"".join(b'"%d": {"a": [1, 2, {}]},' % n for n in range(40_000)),
        b'{"a": [{"b": {"c": [%s[]]}}]}' % (b'{"d": "e\\"]", "f": [[]]},' * 30_000),
        b'{"a\\"": {"b\\\\": [%s1]}, "c": [2]}' % (b"[1]," * 150_000),
    ],
)
def test_a_large_text_is_read_whole(text: bytes) -> None:
    assert len(text) > PIECE_BYTES
    assert read(text) == orjson.loads(text)


def test_a_text_longer_than_a_piece_is_null_and_its_neighbours_are_read() -> None:
    long = b"x\\n" * PIECE_BYTES
    assert read(b'{"a": "%s", "b": ["%s", 2], "c": 3}' % (long, long)) == {"a": None, "b": [None, 2], "c": 3}


def test_others_run_while_a_large_text_is_read_worked_on_and_freed() -> None:
    text = orjson.dumps({"list": [{"a": {"b": [1, 2, {"c": str(n)}]}} for n in range(60_000)]})
    turns = {"read": 0, "freed": 0}
    now = "read"

    def count() -> None:
        while now:
            turns[now] += 1
            gevent.sleep(1e-7)

    counting = gevent.spawn(count)
    with reading(text) as value:
        read_items = len(value["list"])
        collects = gc.isenabled()
        now = "freed"
    now = ""
    counting.join()

    assert read_items == 60_000
    assert not collects
    assert gc.isenabled()
    assert turns["read"] >= 5
    assert turns["freed"] >= 2
