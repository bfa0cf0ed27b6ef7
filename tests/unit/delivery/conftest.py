"""Delivery with doubles, for all tests of the folder."""

from collections.abc import Iterator

import pytest

from tests.doubles.delivery import DeliveryWithDoubles


@pytest.fixture
def delivery() -> Iterator[DeliveryWithDoubles]:
    """Delivery that is not started yet."""
    delivery = DeliveryWithDoubles()
    yield delivery
    delivery.close()
