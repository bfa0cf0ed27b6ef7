"""Reads the answers about names of users and wrap-up codes: of one, or of many.

Invariant: pure. An entity that can't be used costs only the name that it is about, and an answer proves nothing about
an id that it leaves out.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from genesys_gateway.genesys.call import BadAnswer, load, read_object, reading
from genesys_gateway.genesys.schemas.names import NAMED, NAMES
from genesys_gateway.runtime.greenlets import paced

#: Maximum length in characters of a name; a longer one is cut, so that its record is not refused for its size.
_MAX_NAME = 10_000


def from_answer(body: bytes) -> str | None:
    """The name in the answer about one user or wrap-up code; None if it has none.

    Raises:
        BadAnswer: The body is no JSON object.
    """
    return _name(read_object(body).get("name"))


def names_from_answer(body: bytes, asked: Iterable[str]) -> dict[str, str | None]:
    """The names in a bulk answer, by the id as it was asked for; None for an entity without a usable name.

    Left out are ids without an entity, and ids with several entities whose names differ.

    Args:
        asked: Entities with other ids are ignored: a server that does not know the parameter ``id`` lists any.

    Raises:
        BadAnswer: The body is no JSON object, or has no list of entities.
    """
    found: dict[str, set[str | None]] = {one.lower(): set() for one in asked}
    with reading(body) as answer:
        for entity in paced(load(NAMES, answer)["entities"]):
            named = _named(entity)
            if named is not None and named["id"].lower() in found:
                found[named["id"].lower()].add(_name(named["name"]))
    return {one: next(iter(names)) for one in asked if len(names := found[one.lower()]) == 1}


def _named(entity: object) -> Mapping[str, Any] | None:
    if not isinstance(entity, dict):
        return None
    try:
        return load(NAMED, entity)
    except BadAnswer:
        return None


def _name(value: object) -> str | None:
    """A deleted user or code may have null, or anything but a name."""
    return value.strip()[:_MAX_NAME] or None if isinstance(value, str) else None
