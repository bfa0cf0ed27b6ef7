"""An after-call work has the same record id after a restart, and in another process with an empty database."""

from tests.harness import judge
from tests.harness.processes import nap
from tests.harness.simulator import until, wait_for
from tests.harness.stage import Stage


def play(stage: Stage) -> None:
    """Announce the same after-call works to three processes."""
    report = stage.report
    centre = stage.centre()
    first = stage.gateway(centre).start()
    lines = centre.start_many(20)
    first.register_all(lines)
    centre.until_listened(lines)
    keys = [centre.wrap_up(line)["recordKey"] for line in lines]
    until(lambda: centre.until_clean(len(lines), 5) is not None, 10, "all are recorded")
    report.claim(
        "the id is UUIDv5 of conversation/participant/session, as we compute it",
        {entry["record"]["id"] for entry in centre.ledger("records")} == set(map(judge.record_id, keys)),
        f"{len(keys)} records",
    )
    first.restart_after_kill()
    centre.until_listened(lines)
    heard = sum(centre.play(line.conversation, "announce")["heard"] for line in lines)
    nap(2)
    records, attempts = centre.ledger("records"), centre.attempts()
    report.did(f"killed, started again, announced each once more: {heard} events heard")
    report.claim("heard again after a restart, none is sent again", len(records) == len(attempts) == len(keys), heard)
    first.terminate()

    other = stage.gateway(centre, name="other").start()
    other.register_all(lines)
    centre.until_listened(lines)
    for line in lines:
        centre.play(line.conversation, "announce")
    wait_for(lambda: len(centre.attempts()) >= 2 * len(keys), 10)
    sent = [attempt["id"] for attempt in centre.attempts()[len(attempts) :]]
    report.did("announced them to another process with an empty database")
    report.claim("another process sends them under the same ids", sorted(sent) == sorted(map(judge.record_id, keys)))
    judge.nothing_lost_nothing_doubled(report, centre)
