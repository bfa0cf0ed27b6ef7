"""A socket frozen and dropped for a minute, 500 wrap-ups meanwhile: all recovered soon, with few calls."""

import time

import gevent

from proof import judge
from proof.centre import Centre, until
from proof.children import nap
from proof.stage import Stage

SECONDS = 1200
_COUNT = 500
_EXTRA_SECONDS = 10


def play(stage: Stage) -> None:
    """Analytics lag behind by nothing, half a minute, four minutes."""
    for lag in (0, 5) if stage.fast else (0, 30, 240):
        _play_lag(stage, lag, 12.0 if stage.fast else 60.0)


def _play_lag(stage: Stage, lag: int, away: float) -> None:
    centre = stage.centre(analyticsLagSeconds=lag)
    gateway = stage.gateway(centre, name=f"lag-{lag}").start()
    lines = centre.start_many(_COUNT)
    gateway.register_all(lines)
    centre.until_listened(lines)
    nap(1)

    storm = gevent.spawn(centre.finish_all, lines)
    centre.fault("freeze", seconds=away / 2)
    nap(away / 2)
    centre.fault("refuse_upgrade", status=503, seconds=away / 2)
    centre.control("POST", "/channels/all/drop")
    nap(away / 2)
    storm.get()
    back_at = round(time.time() * 1000) - 50
    until(lambda: any(channel["connected"] for channel in centre.channels()), 30, "a socket is open again")
    bound = lag + _EXTRA_SECONDS
    centre.until_clean(_COUNT, bound + 60)
    records = centre.ledger("records")
    reconnected = _first_opened(centre, back_at)
    last = max((judge.epoch_ms(entry["receivedAt"]) for entry in records), default=0)
    took = (last - reconnected) / 1000
    stage.report.did(f"lag {lag} s: away for {away:.0f} s, a socket {(reconnected - back_at) / 1000:.1f} s later")
    held = len(records) == _COUNT and took <= bound
    figure = f"{len(records)} after {took:.1f} s, {judge.sources(records)['backfill']} of them by asking"
    stage.report.claim(f"lag {lag} s: all {_COUNT} recovered within {bound} s of the reconnect", held, figure)
    _claim_calls(stage, centre, lag, (reconnected, last))
    judge.nothing_lost_nothing_doubled(stage.report, centre)
    gateway.close()


def _claim_calls(stage: Stage, centre: Centre, lag: int, window: tuple[int, int]) -> None:
    """A round asks about all 500, 50 a call: ten calls, and at most five more for what analytics can't tell."""
    calls = centre.ledger("calls")
    asked = [call for call in judge.questions(calls) if window[0] <= call["at"] <= window[1]]
    bulk = sum(call["path"].endswith("/details") for call in asked)
    rounds = -(-bulk // (_COUNT // 50)) or 1
    figure = f"{len(asked)} calls, {bulk} of them in bulk: {len(asked) / rounds:.1f} in each of {rounds} rounds"
    stage.report.claim(f"lag {lag} s: at most 15 calls a round", len(asked) <= 15 * rounds, figure)
    peak = judge.most_in_a_minute(judge.api_calls(calls))
    stage.report.claim(f"lag {lag} s: never over 300 calls in any minute", peak <= 300, peak)


def _first_opened(centre: Centre, since: int) -> int:
    return min(int(e["at"]) for e in centre.ledger("sockets") if e["event"] == "opened" and e["at"] >= since)
