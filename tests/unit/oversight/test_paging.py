"""Which cursors are taken, and what do they hold?"""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesys_gateway.oversight.paging import NotOfThisList, cursor_after, page_of, place_of
from genesys_gateway.storage.statements.listing import Place

PLACE = Place(at=1_763_805_600_000, id="633ba5f4-38cd-48fc-bb4c-d77057990b9e")
CURSOR = cursor_after(PLACE, "records", "dead")


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


@given(
    st.integers(0, 2**53 - 1),
    st.from_regex("[0-9a-f-]{1,36}", fullmatch=True),
    st.lists(st.none() | st.text(max_size=5)),
)
def test_a_cursor_holds_its_place(at: int, name: str, of: list[str | None]) -> None:
    place = Place(at=at, id=name)
    filters = [None if one is None else one.encode("utf-8", "ignore").decode() for one in of]
    assert place_of(cursor_after(place, *filters), *filters) == place


def test_without_a_cursor_a_list_is_read_from_its_beginning() -> None:
    assert place_of(None, "records", "dead") is None


@pytest.mark.parametrize(
    "of", [("records", None), ("records", ""), ("records", "pending"), ("conversations", "dead"), ("records",), ()]
)
def test_a_cursor_of_another_list_or_filter_is_refused(of: tuple[str | None, ...]) -> None:
    with pytest.raises(NotOfThisList):
        place_of(CURSOR, *of)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "=",
        "\x00",
        "é",
        "null",
        CURSOR + "=",
        CURSOR + " ",
        CURSOR[:-1],
        CURSOR + "A",
        CURSOR.swapcase(),
        CURSOR * 50,
        encoded(json.dumps({"at": PLACE.at, "id": PLACE.id}).encode()),
        encoded(b"\0" * 60),
        encoded(b"\xff" * 60),
        "A" * 10_000,
    ],
)
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(NotOfThisList):
        place_of(cursor, "records", "dead")


@pytest.mark.parametrize("at", [-(2**63), -1, 2**53, 2**63 - 1])
def test_a_cursor_made_up_for_a_date_that_no_line_has_is_refused(at: int) -> None:
    with pytest.raises(NotOfThisList):
        place_of(cursor_after(Place(at=at, id=PLACE.id), "records", "dead"), "records", "dead")


@pytest.mark.parametrize("name", ["", "\0", f"{PLACE.id}\0", f"{PLACE.id}\n", PLACE.id.upper(), "é", "a" * 37, "' OR"])
def test_a_cursor_made_up_for_an_id_that_no_line_has_is_refused(name: str) -> None:
    with pytest.raises(NotOfThisList):
        place_of(cursor_after(Place(at=PLACE.at, id=name), "records", "dead"), "records", "dead")


def test_another_page_follows_only_if_there_is_more() -> None:
    lines = [Place(at=one, id=str(one)) for one in (3, 2, 1)]

    first = page_of(lines, 2, lambda line: line, "list")
    last = page_of(lines[2:], 2, lambda line: line, "list")
    whole = page_of(lines, 3, lambda line: line, "list")

    assert [one.at for one in first.items] == [3, 2]
    assert place_of(first.next, "list") == lines[1]
    assert (last.next, whole.next, page_of([], 1, lambda line: line).next) == (None, None, None)
