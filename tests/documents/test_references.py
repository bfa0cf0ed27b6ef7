"""Every reference says what the code says, and every setting has one text."""

from dataclasses import fields

import pytest

from genesys_gateway.runtime.version import __version__
from genesys_gateway.settings import Settings, variable
from genesys_gateway.settings.meanings import MEANINGS, REGION
from tests.architecture.sources import PROJECT
from tests.documents.references import REFERENCES, path_of
from tests.documents.references.version import FILES, with_version


@pytest.mark.parametrize("name", REFERENCES)
def test_a_reference_says_what_the_code_says(name: str) -> None:
    assert path_of(name).read_text() == REFERENCES[name](), "write it anew: make references"


@pytest.mark.parametrize("name", FILES)
def test_a_file_names_the_version_of_the_package(name: str) -> None:
    text = (PROJECT / name).read_text()
    assert __version__ in text
    assert text == with_version(text), "write it anew: make references"


def test_another_version_is_replaced_wherever_a_file_may_name_it() -> None:
    old = {name: (PROJECT / name).read_text().replace(__version__, "98.76.543") for name in FILES}
    assert {name: with_version(text) for name, text in old.items()} == {
        name: (PROJECT / name).read_text() for name in FILES
    }


def test_every_setting_has_one_meaning_and_nothing_else_has() -> None:
    explained = [name for section in MEANINGS.values() for name in section]
    read = [variable(field.name) for field in fields(Settings) if "read" in field.metadata]
    assert sorted(explained) == sorted([*read, REGION])
