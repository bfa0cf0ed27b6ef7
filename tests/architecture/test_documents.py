"""The documents name every table, decision and test that they must, and only files that are there."""

import re
from pathlib import Path

import pytest

from genesys_gateway.runtime.version import __version__
from genesys_gateway.storage.tables import metadata
from tests.architecture.sources import PROJECT
from tests.documents.markdown import documents

SECURITY = PROJECT / "SECURITY.md"


def test_every_table_is_explained_once_and_nothing_else_is() -> None:
    page = (PROJECT / "docs" / "architecture.md").read_text()
    section = page.partition("\n## What is on disk\n")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == sorted(metadata.tables)


def test_every_decision_is_listed_once_in_order() -> None:
    folder = PROJECT / "docs" / "adr"
    listed = re.findall(r"^\| \[\d{4}\]\((\S+)\) \|", (folder / "README.md").read_text(), re.MULTILINE)
    assert listed == sorted(path.name for path in folder.glob("0*.md"))


def test_the_newest_release_in_the_changes_is_this_one() -> None:
    released = re.findall(r"^## \[(\d.*)\] - \d{4}-\d\d-\d\d$", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert released[0] == __version__


def test_every_test_that_security_rests_on_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)`", SECURITY.read_text())
    assert len(named) > 20
    assert [name for name in named if not (PROJECT / name).exists()] == []


@pytest.mark.parametrize(
    "document",
    [path for path in documents() if path.parent.name != "adr"],
    ids=lambda path: str(path.relative_to(PROJECT)),
)
def test_the_python_files_that_a_document_names_are_there(document: Path) -> None:
    files = [f"/{path.relative_to(PROJECT)}" for path in PROJECT.rglob("*.py") if ".venv" not in path.parts]
    named = set(re.findall(r"`([\w./]+\.py)`", document.read_text()))
    assert {name for name in named if not any(file.endswith(f"/{name}") for file in files)} == set()
