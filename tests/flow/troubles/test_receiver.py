"""What goes wrong at CommunicationHistory is told within 10 s, and no longer 10 s after its end."""

from collections.abc import Iterator

import pytest

from tests.flow.troubles.scene import Scene, scene
from tests.harness.waiting import until


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    # Probes of delivery keep the longest back-off.
    folder = tmp_path_factory.mktemp("receiver")
    with scene(folder, GATEWAY_RETRY_BASE_SECONDS="0.5", GATEWAY_RETRY_MAX_SECONDS="3") as made:
        yield made


@pytest.mark.parametrize(("mode", "records"), [("down", 1), ("503", 2), ("down", 8)])
def test_a_receiver_that_is_down(here: Scene, mode: str, records: int) -> None:
    here.simulator.set_receiver(mode)
    calls = here.finished(records)

    trouble = here.comes("receiver_down")
    until(lambda: here.status()["backlog"] == records)
    assert "receiver_misdeployed" not in here.troubles()

    here.simulator.set_receiver("ok")
    here.goes("receiver_down")
    for call in calls:
        call.until_delivered()
    assert trouble["since"] < here.simulator.ledger("records")[-1]["receivedAt"]


def test_a_receiver_that_does_not_answer_in_time(here: Scene) -> None:
    here.simulator.set_receiver("hang")
    (call,) = here.finished(1)

    here.comes("receiver_down")
    here.simulator.set_receiver("ok")

    here.goes("receiver_down")
    call.until_delivered()


def test_a_receiver_that_has_all_records_wait(here: Scene) -> None:
    here.simulator.set_receiver("429", retryAfter=4)
    calls = here.finished(2)

    here.comes("receiver_down")
    here.simulator.set_receiver("ok")

    here.goes("receiver_down")
    for call in calls:
        call.until_delivered()


@pytest.mark.parametrize(("status", "records"), [("401", 1), ("404", 3), ("403", 2)])
def test_a_receiver_that_turns_every_record_away(here: Scene, status: str, records: int) -> None:
    here.simulator.set_receiver(status)
    calls = here.finished(records)

    trouble = here.comes("receiver_misdeployed")
    assert f"HTTP {status}" in trouble["text"]
    assert "receiver_down" not in here.troubles()

    here.simulator.set_receiver("ok")
    here.goes("receiver_misdeployed")
    for call in calls:
        call.until_delivered()


def test_a_receiver_that_refuses_ten_records_alike(here: Scene) -> None:
    here.simulator.set_receiver("422")
    calls = here.finished(10)

    trouble = here.comes("receiver_refuses")
    assert "10 different records" in trouble["text"]
    assert "HTTP 422" in trouble["text"]

    here.simulator.set_receiver("ok")
    here.goes("receiver_refuses")
    here.goes("records_dead")
    for call in calls:
        call.until_delivered()


def test_a_record_that_is_given_up_until_it_is_requeued(here: Scene) -> None:
    here.simulator.set_receiver("422")
    (call,) = here.finished(1)

    trouble = here.comes("records_dead")
    assert trouble["text"].startswith("1 record was")
    assert not {"receiver_refuses", "receiver_misdeployed", "receiver_down"} & here.troubles().keys()

    here.simulator.set_receiver("ok")
    here.requeue(call.view()["records"][0]["id"])
    here.goes("records_dead")
    call.until_delivered()
