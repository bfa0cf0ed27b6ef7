"""System notices are counted by kind; each unknown kind is logged once."""

import pytest
from structlog.testing import capture_logs

from genesys_gateway.channels.system_notices import SystemNotices
from genesys_gateway.genesys.notifications import Closing, NoLongerSubscribed, OtherNotice, SystemNotice, TokenRevoked
from genesys_gateway.runtime.metrics import Metrics


def counted(metrics: Metrics) -> dict[str, float]:
    """The kinds that were counted."""
    found = next(iter(metrics.system_notices.collect())).samples
    return {sample.labels["kind"]: sample.value for sample in found if sample.value}


@pytest.mark.parametrize(
    ("notice", "kind"),
    [
        (Closing(), "socket_closing"),
        (NoLongerSubscribed(topics=()), "no_longer_subscribed"),
        (TokenRevoked(), "token_revoked"),
        (OtherNotice(kind="subscription.updated"), "subscription_updated"),
    ],
)
def test_a_known_kind_is_counted_and_not_logged(notice: SystemNotice, kind: str) -> None:
    metrics = Metrics()

    with capture_logs() as logs:
        SystemNotices(metrics).note(notice)

    assert counted(metrics) == {kind: 1}
    assert logs == []


def test_an_unknown_kind_is_logged_once_and_counted_each_time() -> None:
    metrics = Metrics()
    notices = SystemNotices(metrics)

    with capture_logs() as logs:
        for kind in ("maintenance", "maintenance", "", "maintenance", ""):
            notices.note(OtherNotice(kind=kind))

    assert counted(metrics) == {"unknown": 5}
    assert [(line["event"], line["kind"]) for line in logs] == [
        ("system_notice_unknown", "maintenance"),
        ("system_notice_unknown", ""),
    ]


def test_a_flood_of_kinds_is_counted_but_not_logged_for_ever() -> None:
    metrics = Metrics()
    notices = SystemNotices(metrics)

    with capture_logs() as logs:
        for number in range(1000):
            notices.note(OtherNotice(kind="x" * number))

    assert counted(metrics) == {"unknown": 1000}
    assert len(logs) == 20
