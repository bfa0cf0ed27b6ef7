"""Two gateways on one database: what only one of them meets, both tell, with the same code and words, and its end."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.flow.calls import Call
from tests.flow.gateways import launch_gateway
from tests.harness import databases
from tests.harness.gateway import Gateway
from tests.harness.simulator import Simulator
from tests.harness.waiting import until

pytestmark = pytest.mark.skipif(not databases.reachable(), reason="no PostgreSQL at 127.0.0.1:5432")


@pytest.fixture
def gateways(tmp_path: Path, simulator: Simulator) -> Iterator[list[Gateway]]:
    """Two instances; a failed attempt is repeated within a second."""
    with databases.postgresql() as name:
        made = []
        for number in range(2):
            folder = tmp_path / str(number)
            folder.mkdir()
            settings = {"DATABASE_URL": databases.url(name), "GATEWAY_RETRY_MAX_SECONDS": "1"}
            made.append(launch_gateway(folder, simulator.url, **settings))
        for gateway in made:
            gateway.until_ready()
        yield made
        assert [gateway.stop() for gateway in made] == [0, 0]


def told(gateway: Gateway, event: str, code: str) -> list[str | None]:
    """The texts with which a gateway has told the beginning or the end of a trouble."""
    return [line.get("text") for line in gateway.log() if line["event"] == event and line.get("code") == code]


def test_both_tell_that_the_receiver_is_down_although_only_one_has_asked_it(
    gateways: list[Gateway], simulator: Simulator
) -> None:
    call = Call(simulator, gateways[0]).listened_to()
    simulator.set_receiver("503")
    try:
        call.act("wrapup").act("end")
        for gateway in gateways:
            until(partial(told, gateway, "trouble_began", "receiver_down"), 30, "both tell it")
    finally:
        simulator.set_receiver("ok")
    call.until_delivered(60)
    for gateway in gateways:
        until(partial(told, gateway, "trouble_ended", "receiver_down"), 30, "both tell its end")

    texts = [text for gateway in gateways for text in told(gateway, "trouble_began", "receiver_down")]
    assert len(texts) == 2
    assert all(text and text.startswith("CommunicationHistory does not take records (HTTP 503") for text in texts)
