"""The figures as tables, compared with what is promised, and as JSON."""

from typing import Any

from tests.benchmarks.motion.figures import Delays
from tests.benchmarks.operated.figures import Latency, latencies, latency
from tests.benchmarks.operated.play import AGAIN, WITH, WITHOUT, Phase, Played
from tests.benchmarks.operated.watchers import PROBE, SCRAPE
from tests.harness.report import Report

#: Promised, in seconds: pages and API, the metrics, the delay of the event loop.
PAGE_SECONDS, SCRAPE_SECONDS, LAG_SECONDS = 0.2, 0.1, 0.02
_HEADER = "| address | requests | median | 99 % | longest |\n| --- | --- | --- | --- | --- |"


def claim(report: Report, played: Played) -> None:
    """Claim all that is promised while dashboards are open; the rest is noted."""
    phase = _phase(played, WITH)
    pages = [one for one in latencies(phase.notes.samples) if one.what not in (PROBE, SCRAPE)]
    slowest = max(pages, key=lambda one: one.p99, default=None)
    if slowest is None:
        report.skip("every page and call of the API", "no dashboard was open")
    else:
        text = f"every page and call of the API: 99 % within {PAGE_SECONDS * 1000:.0f} ms"
        report.claim(text, slowest.p99 < PAGE_SECONDS, f"{_ms(slowest.p99)} ms ({slowest.what})")
    scrape = _latency(phase, SCRAPE)
    text = f"{SCRAPE}: 99 % within {SCRAPE_SECONDS * 1000:.0f} ms"
    report.claim(text, scrape.p99 < SCRAPE_SECONDS, f"{_ms(scrape.p99)} ms")
    _claim_lag(report, phase)
    probe, without = _latency(phase, PROBE), max(_latency(_phase(played, one), PROBE).p99 for one in (WITHOUT, AGAIN))
    text = f"dashboards delay {PROBE} by less than {LAG_SECONDS * 1000:.0f} ms (99 %)"
    report.claim(text, probe.p99 - without < LAG_SECONDS, f"{_ms(probe.p99)} ms, without them {_ms(without)} ms")
    streams = phase.notes.streams
    report.claim("no live stream failed", streams["failed"] == 0, f"{streams['failed']} of {streams.total()}")
    figure = "; ".join(f"{what} ({times})" for what, times in phase.notes.unexpected.most_common(5)) or "all"
    report.claim("every answer is 200", not phase.notes.unexpected, figure)


def note(report: Report, played: Played) -> None:
    """Print what dashboards cost the rest of the service."""
    first, last = played.followed
    report.note(f"followed: {first:,} when the dashboards were opened, {last:,} when they were closed")
    for phase in played.phases:
        probe = _latency(phase, PROBE)
        lag = "" if phase.hub_lag is None else f", event loop late by at most {_ms(phase.hub_lag)} ms (99 %)"
        report.note(
            f"{phase.name} dashboards: registrations {_delays(played.registrations[phase.name])}; "
            f"records {_delays(played.freshness[phase.name])}; {PROBE} {_ms(probe.median)}, {_ms(probe.p99)}, "
            f"{_ms(probe.most)} ms{lag}; worker {phase.processor:.0%} of a core, "
            f"waited for one {phase.waited:.0%} of the time"
        )
    report.note(f"registrations with dashboards : without = {_ratio(played):.2f} (median)")
    streams = _phase(played, WITH).notes
    report.note(
        f"live streams: {streams.streams['events']} events, {streams.streams['ended']} reconnections, longest silence "
        f"{streams.silence:.1f} s"
    )


def table(played: Played) -> str:
    """Every address in Markdown: requests, median, 99 %, longest in milliseconds."""
    rows = [
        f"| `{one.what}` | {one.count} | {_ms(one.median)} ms | {_ms(one.p99)} ms | {_ms(one.most)} ms |"
        for one in latencies(_phase(played, WITH).notes.samples)
    ]
    return "\n".join([_HEADER, *rows, ""])


def as_json(played: Played) -> dict[str, Any]:
    """Everything, in seconds."""
    return {
        "followed": played.followed,
        "registrationsRatio": _ratio(played),
        "phases": {phase.name: _phase_json(phase, played) for phase in played.phases},
    }


def _phase_json(phase: Phase, played: Played) -> dict[str, Any]:
    return {
        "addresses": {one.what: _latency_json(one) for one in latencies(phase.notes.samples)},
        "registrations": _delays_json(played.registrations[phase.name]),
        "freshness": _delays_json(played.freshness[phase.name]),
        "hubLagP99": phase.hub_lag,
        "processor": phase.processor,
        "waitedForProcessor": phase.waited,
        "streams": dict(phase.notes.streams),
        "longestSilence": phase.notes.silence,
        "unexpected": dict(phase.notes.unexpected),
    }


def _latency_json(one: Latency) -> dict[str, float]:
    return {"count": one.count, "failed": one.failed, "median": one.median, "p99": one.p99, "longest": one.most}


def _delays_json(found: Delays) -> dict[str, float | None]:
    never = bool(found.never)
    return {
        "count": found.count,
        "never": found.never,
        "median": found.median,
        "p99": None if never and found.p99 == float("inf") else found.p99,
        "longest": None if never else found.most,
    }


def _claim_lag(report: Report, phase: Phase) -> None:
    text = f"the event loop is late by at most {LAG_SECONDS * 1000:.0f} ms (99 %), by the gateway's own histogram"
    if phase.hub_lag is None:
        report.skip(text, "it has none")
    else:
        report.claim(text, phase.hub_lag <= LAG_SECONDS, f"at most {_ms(phase.hub_lag)} ms")


def _phase(played: Played, name: str) -> Phase:
    return next(phase for phase in played.phases if phase.name == name)


def _latency(phase: Phase, what: str) -> Latency:
    return latency(what, (sample for sample in phase.notes.samples if sample.what == what))


def _ratio(played: Played) -> float:
    """Median time of a registration with dashboards, divided by that without (mean of before and after)."""
    without = (played.registrations[WITHOUT].median + played.registrations[AGAIN].median) / 2
    return played.registrations[WITH].median / without if without else 0.0


def _delays(found: Delays) -> str:
    return f"{_ms(found.median)}, {_ms(found.p99)}, {_ms(found.most)} ms" if found.count else "none"


def _ms(seconds: float) -> str:
    milliseconds = seconds * 1000
    return f"{milliseconds:.1f}" if milliseconds < 10 else f"{milliseconds:,.0f}"
