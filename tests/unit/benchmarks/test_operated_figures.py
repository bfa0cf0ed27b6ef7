"""Quantiles of what dashboards were answered, and of a histogram between two readings."""

from math import inf

import pytest

from tests.benchmarks.operated.figures import Sample, buckets, latencies, latency, quantile, quantile_between

METRICS = """\
# TYPE lag histogram
lag_bucket{le="0.001"} 90.0
lag_bucket{le="0.02"} 98.0
lag_bucket{le="+Inf"} 100.0
lag_count 100.0
lag_bucket{kind="other",le="0.02"} 7.0
lagging_bucket{le="0.5"} 7.0
"""


def test_each_kind_of_request_has_its_quantiles() -> None:
    samples = [Sample(what="/b", seconds=number / 100) for number in range(100)] + [Sample(what="/a", seconds=5.0)]

    first, second = latencies(samples)

    assert (first.what, first.count, first.median, first.p99, first.most) == ("/a", 1, 5.0, 5.0, 5.0)
    assert (second.what, second.count, second.median, second.p99, second.most) == ("/b", 100, 0.5, 0.99, 0.99)


def test_another_answer_than_the_expected_one_counts_as_failed() -> None:
    assert latency("/", [Sample(what="/", seconds=0.0, good=False), Sample(what="/", seconds=1.0)]).failed == 1


def test_without_a_sample_all_is_zero() -> None:
    found = latency("/", [])
    assert (found.count, found.failed, found.median, found.p99, found.most) == (0, 0, 0.0, 0.0, 0.0)
    assert quantile([], 0.5) == 0.0


def test_only_the_named_histogram_without_labels_is_read() -> None:
    assert buckets(METRICS, "lag") == {0.001: 90.0, 0.02: 98.0, inf: 100.0}


@pytest.mark.parametrize(("part", "bound"), [(0.5, 0.001), (0.9, 0.001), (0.95, 0.02), (0.99, inf)])
def test_a_quantile_is_at_most_its_buckets_bound(part: float, bound: float) -> None:
    assert quantile_between({}, buckets(METRICS, "lag"), part) == bound


def test_only_values_after_the_first_reading_count() -> None:
    before = buckets(METRICS, "lag")
    after = {bound: count + 10 for bound, count in before.items()}
    assert quantile_between(before, after, 0.99) == 0.001
    assert quantile_between(before, before, 0.99) is None
