"""PostgreSQL is killed and started again every 10 s for two minutes under load: nothing acknowledged is lost."""

from collections import Counter
from uuid import uuid4

from gevent import sleep

from tests.acceptance import several
from tests.harness import databases, listening
from tests.harness.instances import Instances
from tests.harness.load import paced, registering, talking
from tests.harness.simulator import AgentSession, Simulator
from tests.harness.stage import Stage

SECONDS = 1200
_EVERY_SECONDS = 10.0
#: How long the server is away each time.
_AWAY_SECONDS = 2.0


def play(stage: Stage) -> None:
    """Two instances on a server of their own, which recovers from its log each time."""
    with databases.own_server() as server:
        if server is None:
            stage.report.skip("PostgreSQL is killed", "PostgreSQL's initdb is not installed")
            return
        with databases.postgresql(server.port) as name:
            _play_on(stage, server, databases.url(name, server.port))


def _play_on(stage: Stage, server: databases.OwnServer, url: str) -> None:
    simulator = stage.simulator(stage.scale.of({}, {}, {"analyticsLagSeconds": 1}))
    simulator.set_receiver("ok", deduplicate=False)
    instances = Instances(stage, simulator, [url] * 2, several.settings(stage)).start()
    try:
        sessions = simulator.start_many(stage.scale.of(full=1000, fast=1000, small=60))
        instances.register_all(sessions)
        simulator.until_covered(sessions)
        taken, given = _load_and_kills(stage, server, simulator, instances, sessions)
        gaps = listening.unheard(simulator, sessions)
        stage.report.note(f"times without a socket: {len(gaps)}, {listening.spread(gaps)}")
        covered = simulator.wait_covered(sessions, several.LEASE + several.HEARTBEAT)
        stage.report.claim("all are covered in the end", covered is not None, f"{covered or -1:.1f} s after the load")
        simulator.finish_all(taken)
        several.claim_nothing_lost(stage, instances, 420)
        missing = [one for one, customer in given.items() if _customer(instances, one) != customer]
        text = "every registration that was answered with 2xx is on disk"
        stage.report.claim(text, bool(given) and not missing, f"{len(given)} answered, {len(missing)} missing")
        several.claim_all_taken(stage, instances, [*sessions, *taken])
    finally:
        for instance in instances:  # before their server ends
            instance.gateway.close()


def _load_and_kills(
    stage: Stage,
    server: databases.OwnServer,
    simulator: Simulator,
    instances: Instances,
    sessions: list[AgentSession],
) -> tuple[list[AgentSession], dict[str, str]]:
    """Return the conversations that were registered meanwhile, and other registrations with their customers."""
    given: dict[str, str] = {}
    answers: Counter[str] = Counter()

    def register(number: int) -> None:
        conversation, customer = str(uuid4()), str(uuid4())
        answer = instances.ask(conversation, number, customer)
        answers[answer] += 1
        if answer == "201":
            given[conversation] = customer

    per_second = stage.scale.of(full=50.0, fast=50.0, small=20.0)
    kills = stage.scale.of(full=12, fast=4, small=1)
    with (
        talking(simulator, sessions, per_second),
        registering(instances, 2.0) as taken,
        paced(20.0, register),
    ):
        for _ in range(kills):
            sleep(_EVERY_SECONDS - _AWAY_SECONDS)
            server.crash()
            sleep(_AWAY_SECONDS)
            server.start()
        sleep(_EVERY_SECONDS)
    stage.report.note(f"{kills} kills of the server; single registrations, never repeated: {dict(answers)}")
    return taken, given


def _customer(instances: Instances, conversation: str) -> object:
    return (instances[0].gateway.view(conversation) or {}).get("customerId")
