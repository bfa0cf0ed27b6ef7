"""Compares the figures of a load with what is promised under it."""

from tests.benchmarks.motion.figures import CLASSES, Delays, Figures
from tests.benchmarks.motion.loads import Load
from tests.harness.report import Report

#: How much larger the mean population may be than it was three minutes before, and still be flat.
_FLAT = 1.1


def note_figures(report: Report, found: Figures) -> None:
    """Print all figures; delays as median, 99 %, longest."""
    people = found.population
    report.note(f"{found.conversations} conversations registered under load")
    report.note(f"registered -> listened to: {found.coverage}")
    report.note(f"finished -> recorded, live: {found.live}; backfilled: {found.backfilled}")
    report.note(f"ended -> topic given back: {found.given_back}")
    report.note(
        f"needed a topic: at most {people.most}, {people.at_end} at the end; mean {people.before:.0f}, then "
        f"{people.last:.0f}; above the capacity for at most {people.longest_above:.0f} s"
    )
    calls = ", ".join(f"{found.calls[name]:.1f} {name}" for name in CLASSES)
    report.note(f"calls a minute: {calls}; {sum(found.calls.values()):.1f} in all")
    report.note(f"calls per conversation: {found.calls_per_conversation:.3f}")


HEADER = (
    "| load | covered | recorded | topic given back | needed a topic: most, at the end | calls a minute; most | "
    "calls per conversation |\n| --- | --- | --- | --- | --- | --- | --- |"
)


def row(load: Load, found: Figures) -> str:
    """The load's row in the table for docs/performance.md, in Markdown; delays as median, 99 %, longest."""
    people = found.population
    cells = (
        load.name,
        found.coverage,
        found.all_records,
        found.given_back,
        f"{people.most:,}, {people.at_end:,}",
        f"{sum(found.calls.values()):.0f}; {found.most_calls}",
        f"{found.calls_per_conversation:.2f}",
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def claim(report: Report, load: Load, found: Figures) -> None:
    """Claim each promise of the load, except that nothing is lost or doubled."""
    promise = load.promise
    report.claim("each registration is answered with 2xx", found.unregistered == 0, f"{found.unregistered} are not")
    _claim_delay(report, "covered after the registration", found.coverage, promise.coverage_p99)
    if load.troubled:
        _claim_delay(report, "live record after the event", found.live, promise.record_p99)
    else:
        _claim_delay(report, "record after the event", found.all_records, promise.record_p99)
    if promise.given_back_p99 is not None:
        _claim_delay(report, "topic given back after the end", found.given_back, promise.given_back_p99)
    _claim_population(report, load, found)
    report.claim("no call refused with 429", found.refused == 0, found.refused)
    report.claim(f"at most {load.calls} calls in any minute", found.most_calls <= load.calls, found.most_calls)


def _claim_delay(report: Report, what: str, found: Delays, promised: float) -> None:
    text = f"{what}: 99 % within {promised:g} s"
    if found.count:
        report.claim(text, found.p99 <= promised, f"{found.p99:.2f} s")
    else:
        report.skip(text, "there was none under load")


def _claim_population(report: Report, load: Load, found: Figures) -> None:
    people, limit = found.population, load.promise.above_seconds
    if limit is not None:
        text = f"never more than {load.capacity} conversations in need of a topic for longer than {limit:g} s"
        report.claim(text, people.longest_above <= limit, f"{people.most}, {people.longest_above:.0f} s")
        return
    # Before that time the first conversations still keep their topics, so that the population has to grow.
    longest = load.promise.given_back_p99 or load.settle_seconds
    if load.minutes * 60 * 3 / 5 < load.life_seconds + longest:
        report.skip("the population is flat", "the load was too short")
        return
    figure = f"mean {people.before:.0f}, then {people.last:.0f}"
    report.claim("the population is flat", people.last <= people.before * _FLAT + 1, figure)
