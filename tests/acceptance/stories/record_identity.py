"""An after-call work has the same record id after a restart, and in another process with an empty database."""

from gevent import sleep

from tests.harness import judge
from tests.harness.stage import Stage
from tests.harness.waiting import until, wait_for


def play(stage: Stage) -> None:
    """Announce the same after-call works to three processes: one, its restart, and one with an empty database."""
    report = stage.report
    simulator = stage.simulator()
    first = stage.gateway(simulator).start()
    sessions = simulator.start_many(20)
    first.register_all(sessions)
    simulator.until_covered(sessions)
    keys = [simulator.wrap_up(session)["recordKey"] for session in sessions]
    until(lambda: simulator.wait_clean(len(sessions), 5) is not None, 10, "all are recorded")
    report.claim(
        "the id is UUIDv5 of conversation/participant/session, as we compute it",
        {entry["record"]["id"] for entry in simulator.ledger("records")} == set(map(judge.record_id, keys)),
        f"{len(keys)} records",
    )
    first.restart_after_kill()
    simulator.until_covered(sessions)
    received = sum(simulator.act(session.conversation, "announce")["heard"] for session in sessions)
    sleep(2)
    records, attempts = simulator.ledger("records"), simulator.attempts()
    report.note(f"killed, started again, announced each once more: {received} events received")
    report.claim(
        "received again after a restart: none is sent again", len(records) == len(attempts) == len(keys), received
    )
    first.stop()

    other = stage.gateway(simulator, name="other").start()
    other.register_all(sessions)
    simulator.until_covered(sessions)
    for session in sessions:
        simulator.act(session.conversation, "announce")
    wait_for(lambda: len(simulator.attempts()) >= 2 * len(keys), 10)
    sent = [attempt["id"] for attempt in simulator.attempts()[len(attempts) :]]
    report.note("announced them to another process with an empty database")
    report.claim("another process sends them under the same ids", sorted(sent) == sorted(map(judge.record_id, keys)))
    judge.nothing_lost_nothing_doubled(report, simulator)
