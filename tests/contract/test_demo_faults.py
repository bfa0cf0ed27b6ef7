"""Can each fault of the demo be switched on and off at the simulator, and does it name a trouble that there is?"""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from genesys_gateway.oversight.codes import WORDING
from genesys_gateway.simulator.demo.clients import ContactCentre, Gateway, Http, Operators
from genesys_gateway.simulator.demo.faults import FAULTS, Fault, Scene, all_well
from genesys_gateway.simulator.demo.guests import Guests
from genesys_gateway.simulator.demo.identity_provider import IdentityProvider
from tests.doubles.simulator import Simulated

pytest_plugins = ["tests.plugins.simulator_fixture"]


class NotConnected(Http):
    """A gateway that takes whatever it is asked."""

    def call(self, *_: object, **__: object) -> tuple[int, Any]:
        return 202, {"requeued": 3}


@pytest.fixture
def scene(sim: Simulated, tmp_path: Path) -> Scene:
    contact_centre, gateway = ContactCentre(Http(sim.url)), NotConnected("")
    return Scene(
        contact_centre=contact_centre,
        identity_provider=IdentityProvider(tmp_path / "assertion"),
        operators=Operators(gateway),
        guests=Guests(contact_centre=contact_centre, gateway=Gateway(gateway)),
        database=tmp_path / "gateway.db",
    )


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.code or "none")
def test_after_each_fault_all_is_well_again(fault: Fault, scene: Scene, sim: Simulated) -> None:
    settings = sim.sim("GET", "settings")

    fault.begin(scene)
    all_well(scene)
    if fault.afterwards is not None:
        fault.afterwards(scene)

    assert sim.sim("GET", "faults")["on"] == []
    assert sim.sim("GET", "settings") == settings
    assert sim.http("POST", "/history/communicationRecords", json={"id": "Maria Cruz"}).status_code == 201
    assert scene.identity_provider.works
    sqlite3.connect(scene.database, timeout=0).execute("CREATE TABLE free (id)").connection.close()


def test_each_trouble_is_shown_once_and_is_one_of_those_that_there_are() -> None:
    shown = [fault.code for fault in FAULTS if fault.code]
    assert len(shown) == len(set(shown))
    assert set(shown) <= set(WORDING)
