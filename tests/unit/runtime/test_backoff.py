"""The wait after failures doubles up to a limit, and its jitter spreads it out."""

from random import Random

import pytest

from genesys_gateway.runtime.backoff import ceiling, full_jitter


@pytest.mark.parametrize(
    ("failures", "wait"), [(0, 1.0), (1, 2.0), (5, 32.0), (8, 256.0), (9, 300.0), (30, 300.0), (10_000, 300.0)]
)
def test_the_ceiling_doubles_with_each_failure_up_to_its_limit(failures: int, wait: float) -> None:
    assert ceiling(1.0, 300.0, failures) == wait


def test_a_limit_below_the_base_is_kept() -> None:
    assert ceiling(5.0, 2.0, 0) == 2.0


def test_full_jitter_spreads_between_nothing_and_the_ceiling() -> None:
    random = Random(1)
    waits = [full_jitter(random, 1.0, 300.0, 3) for _ in range(1000)]
    assert min(waits) < 0.5
    assert 7.5 < max(waits) <= 8.0
    assert 3.5 < sum(waits) / len(waits) < 4.5
