"""PostgreSQL fails in every way while the gateway serves: what was answered 2xx is kept, and nothing is doubled."""

import shutil
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import gevent
import pytest

from tests.flow.calls import Call
from tests.flow.outages import Scene, scene_on_a_server_of_its_own
from tests.harness.http import NoAnswer
from tests.harness.report import Report
from tests.harness.simulator import Simulator
from tests.harness.stage import Scale, Stage
from tests.harness.waiting import until

#: Size of the disk on which the database lies; an empty database takes 8.
MEGABYTES = 40
#: Number of registrations that fit into pages that exist already, at most.
MOST = 2000


@pytest.fixture(scope="module")
def disk() -> Iterator[Path | None]:
    """A small disk for the database; None where this account may not mount one."""
    stage = Stage(Report("small-disk"), Scale.SMALL)
    stage.folder.chmod(0o755)  # the account of the server has to reach what is in it
    try:
        yield stage.small_disk("disk", MEGABYTES)
    finally:
        stage.close(keep=False)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, simulator: Simulator, disk: Path | None) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("outage")
    with scene_on_a_server_of_its_own(folder, simulator, place_of_database=disk) as made:
        if made is None:
            pytest.skip("the programs of a PostgreSQL server are not installed")
        yield made


def test_a_registration_whose_commit_is_not_confirmed_is_503_and_its_repetition_200(scene: Scene) -> None:
    call = scene.call()
    scene.proxy.cut_commits("INSERT INTO registration")

    assert scene.post(call).status == 503
    assert scene.stored(call)
    assert scene.post(call).status == 200
    timeline = [item["event"] for item in call.view()["timeline"]]
    assert timeline.count("registered") == 1


@pytest.mark.parametrize(
    "words",
    ["INSERT INTO entry", "FOR UPDATE SKIP LOCKED", "delivered_at = new.delivered_at"],
    ids=["event", "claim", "conclusion"],
)
def test_a_record_is_stored_once_although_a_commit_on_its_way_is_not_confirmed(scene: Scene, words: str) -> None:
    calls = [scene.call().register().until("subscribed") for _ in range(3)]
    cuts = scene.proxy.cuts

    scene.proxy.cut_commits(words, times=3)
    for call in calls:
        call.act("wrapup")
    for call in calls:
        call.until_delivered(30)

    assert scene.proxy.cuts > cuts
    scene.proxy.cut_commits(words, times=0)
    for call in calls:
        assert len(call.records()) == 1
        assert len(call.view()["records"]) == 1


def test_a_primary_that_takes_no_writes_for_a_while_is_used_again_without_a_restart(scene: Scene) -> None:
    call = scene.call().listened_to()
    scene.server.execute("ALTER DATABASE gateway SET default_transaction_read_only = on")
    scene.end_sessions()

    until(scene.refuses)
    call.act("wrapup")
    gevent.sleep(0.5)
    assert scene.refuses()
    scene.server.execute("ALTER DATABASE gateway RESET default_transaction_read_only")

    until(scene.accepts)
    call.until_delivered()
    assert [record["source"] for record in call.view()["records"]] == ["live"]


def test_sessions_that_are_ended_again_and_again_cost_no_registration(scene: Scene) -> None:
    calls = [scene.call() for _ in range(60)]
    statuses: Counter[int] = Counter()

    def confirmed_now(call: Call) -> bool:
        return scene.post(call).status in (200, 201)

    def register(some: list[Call]) -> None:
        for call in some:
            reply = scene.post(call)
            statuses[reply.status] += 1
            if reply.status == 503:
                until(partial(confirmed_now, call))

    clients = [gevent.spawn(register, calls[start::3]) for start in range(3)]
    while not all(client.ready() for client in clients):
        scene.end_sessions()
        gevent.sleep(0.25)
    gevent.joinall(clients, raise_error=True)

    assert statuses[201] >= len(calls) / 4
    assert set(statuses) <= {200, 201, 503}
    assert all(scene.stored(call) for call in calls)


def fill(disk: Path) -> Path:
    """Take all the space that is left."""
    filler = disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(disk).free))
    return filler


def test_a_locked_conversation_waits_alone(scene: Scene) -> None:
    locked, other = (scene.call().listened_to() for _ in range(2))

    with scene.person() as person:
        person.execute("SELECT * FROM conversation WHERE id = %s FOR UPDATE", [locked.id])
        assert scene.post(locked).status == 503
        locked.act("wrapup")
        other.act("wrapup")

        other.until_delivered()
        for _ in range(5):
            assert scene.accepts()
        scene.call().register().until("subscribed").act("wrapup").until_delivered()
        assert locked.view()["records"] == []

    locked.until_delivered()
    assert [record["source"] for record in locked.view()["records"]] == ["live"]
    assert scene.post(locked).status == 200
    assert len(locked.records()) == 1


def test_a_locked_entry_waits_alone(scene: Scene) -> None:
    scene.simulator.set_receiver("down")
    locked, other = (scene.call().register().until("subscribed").act("wrapup") for _ in range(2))
    until(lambda: locked.view()["records"] and other.view()["records"])

    with scene.person() as person:

        def is_locked() -> bool:
            person.rollback()  # PostgreSQL may have locked a row that had changed and was not returned
            between_attempts = "SELECT id FROM entry WHERE conversation_id = %s AND claimed_until IS NULL FOR UPDATE"
            return person.execute(between_attempts, [locked.id]).fetchone() is not None

        until(is_locked)
        scene.simulator.set_receiver("ok")
        other.until_delivered()
        assert locked.records() == []

    locked.until_delivered()
    assert len(locked.records()) == 1


def test_while_a_table_is_locked_registrations_are_refused_in_time_and_events_wait(scene: Scene) -> None:
    call = scene.call().listened_to()

    with scene.person() as person:
        person.execute("LOCK TABLE conversation IN EXCLUSIVE MODE")
        call.act("wrapup")
        posts = [gevent.spawn(scene.refuses) for _ in range(30)]
        gevent.joinall(posts, raise_error=True)
        assert all(post.value for post in posts)

    until(scene.accepts)
    call.until_delivered()
    assert [record["source"] for record in call.view()["records"]] == ["live"]


def test_while_no_lease_can_be_renewed_nothing_is_written_and_the_instance_stays_the_same(scene: Scene) -> None:
    call = scene.call().listened_to()
    before = scene.server.execute("SELECT id FROM instance", "gateway")

    with scene.person() as person:
        person.execute("LOCK TABLE instance IN EXCLUSIVE MODE")
        until(scene.refuses)
        call.act("wrapup")
        gevent.sleep(0.5)
        assert scene.refuses()

    until(scene.accepts)
    call.until_delivered()
    assert [record["source"] for record in call.view()["records"]] == ["live"]
    assert scene.server.execute("SELECT id FROM instance", "gateway") == before


def test_registrations_are_refused_while_the_disk_is_full_and_events_wait_in_the_spool(
    scene: Scene, disk: Path
) -> None:
    talking = [scene.call().listened_to() for _ in range(5)]

    filler = fill(disk)
    assert any(scene.refuses() for _ in range(MOST))
    for call in talking:
        call.act("wrapup")
    assert any(scene.refuses() for _ in range(MOST))
    filler.unlink()

    until(scene.accepts)
    for call in talking:
        call.until_delivered()
        assert [record["source"] for record in call.view()["records"]] == ["live"]
        assert len(call.records()) == 1


def test_a_server_that_is_killed_under_load_loses_nothing_and_events_wait_in_the_spool(scene: Scene) -> None:
    talking = [scene.call().listened_to() for _ in range(10)]
    confirmed: list[Call] = []
    running = True

    def register() -> None:
        while running:
            call = scene.call()
            try:
                if scene.post(call).status in (200, 201):
                    confirmed.append(call)
            except NoAnswer:
                pass
            gevent.sleep(0.02)

    clients = [gevent.spawn(register) for _ in range(4)]
    until(lambda: len(confirmed) > 20)
    scene.server.crash()
    for call in talking:
        call.act("wrapup")
    assert scene.refuses()
    gevent.sleep(2)
    scene.server.start()
    before = len(confirmed)
    until(lambda: len(confirmed) > before + 10)
    running = False
    gevent.joinall(clients, raise_error=True)

    for call in talking:
        call.until_delivered(30)
        assert [record["source"] for record in call.view()["records"]] == ["live"]
        assert len(call.records()) == 1
    assert all(scene.stored(call) for call in confirmed)
