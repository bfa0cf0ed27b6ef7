"""Channels on a fake Genesys, ended after each test."""

from collections.abc import Iterator

import pytest

from tests.doubles.channel_registry import RegistryOnFakeGenesys
from tests.doubles.topic_writer import WriterOnFakeGenesys


@pytest.fixture
def writer() -> Iterator[WriterOnFakeGenesys]:
    made = WriterOnFakeGenesys()
    yield made
    made.end()


@pytest.fixture
def channels() -> Iterator[RegistryOnFakeGenesys]:
    made = RegistryOnFakeGenesys()
    yield made
    made.end()
