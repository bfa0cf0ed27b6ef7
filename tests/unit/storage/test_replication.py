"""Whether a failover can lose commits."""

import pytest

from genesys_gateway.storage.replication import of_row


@pytest.mark.parametrize(
    ("standbys", "names", "commit", "reason"),
    [
        (0, "", "on", None),
        (0, "", "local", None),
        (1, "", "on", "synchronous_standby_names is empty"),
        (2, " ", "remote_apply", "synchronous_standby_names is empty"),
        (1, "ANY 1 (s1, s2)", "on", None),
        (1, "*", "remote_apply", None),
        (1, "*", "local", "synchronous_commit is local"),
        (1, "*", "remote_write", "synchronous_commit is remote_write"),
    ],
)
def test_a_standby_that_no_commit_waits_for_is_a_weakness(
    standbys: int, names: str, commit: str, reason: str | None
) -> None:
    weakness = of_row((standbys, names, commit, "7713176484214737014", "0000000A")).weakness()

    assert weakness is None if reason is None else weakness is not None and weakness.startswith(reason)


def test_a_timeline_is_hexadecimal_and_a_standby_tells_none() -> None:
    assert of_row((0, "", "on", "1", "0000000A")).timeline == 10
    assert of_row((0, "", "on", "1", None)).timeline is None
