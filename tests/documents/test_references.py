"""Every reference says what the code says, and every setting has one text."""

from dataclasses import fields

import pytest

from genesys_gateway.settings import Settings, variable
from genesys_gateway.settings.meanings import MEANINGS, REGION
from tests.documents.references import REFERENCES, path_of


@pytest.mark.parametrize("name", REFERENCES)
def test_a_reference_says_what_the_code_says(name: str) -> None:
    assert path_of(name).read_text() == REFERENCES[name](), "write it anew: make references"


def test_every_setting_has_one_meaning_and_nothing_else_has() -> None:
    explained = [name for section in MEANINGS.values() for name in section]
    read = [variable(field.name) for field in fields(Settings) if "read" in field.metadata]
    assert sorted(explained) == sorted([*read, REGION])
