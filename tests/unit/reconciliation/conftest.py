"""The reconciler that the tests of this folder share."""

from collections.abc import Iterator

import pytest

from tests.doubles.reconciliation import ReconcilerOnFakeInquiry


@pytest.fixture
def reconciler() -> Iterator[ReconcilerOnFakeInquiry]:
    made = ReconcilerOnFakeInquiry()
    yield made
    made.end()
