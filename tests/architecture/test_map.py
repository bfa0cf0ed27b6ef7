"""The map in the package's docstring is true."""

import re

import genesys_gateway
from tests.architecture.sources import PACKAGE

MAP = genesys_gateway.__doc__ or ""

#: Those that the data meets and that are no rooms of ours.
OUTSIDE = {"BOFE", "Genesys", "CommunicationHistory", "disk"}


def rooms() -> list[str]:
    """What the package consists of, one level deep."""
    modules = [path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__"]
    folders = [path.parent.name for path in PACKAGE.glob("*/__init__.py")]
    return sorted(modules + folders)


def test_every_room_stands_in_the_map_once_and_nothing_else_does() -> None:
    named = re.findall(r"^    (\w+)  +\S", MAP, re.MULTILINE)
    assert sorted(named) == rooms()


def test_the_way_of_the_data_leads_through_rooms_that_exist() -> None:
    ways = re.findall(r"^    (\w+(?: → \w+)+)  ", MAP, re.MULTILINE)
    stations = {station for way in ways for station in way.split(" → ")}
    assert len(ways) == 5
    assert stations - OUTSIDE <= set(rooms())
