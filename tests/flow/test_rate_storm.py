"""Told to come later, the gateway comes later: no call before Retry-After is over, and all is done in the end."""

from collections.abc import Callable

from tests.flow.playing import Playing

Stage = Callable[..., Playing]

RETRY_AFTER = 3


def test_no_call_comes_before_retry_after_is_over(stage: Stage) -> None:
    play = stage()
    ids = play.followed(20)
    play.fault("rate_storm", retryAfter=RETRY_AFTER, count=2)
    ids += play.followed(20)
    play.finish(ids)
    play.until_clean(40)

    calls = [one for one in play.ledger("calls") if one["path"].startswith("/api/v2/")]
    refused = [one["at"] for one in calls if one["status"] == 429]
    # Calls that were under way when the refusal came are granted 100 ms.
    early = [one for at in refused for one in calls if at + 100 < one["at"] < at + RETRY_AFTER * 1000 - 100]
    assert refused
    assert early == []
