"""Do the acceptance stories judge from outside, and is each of its stories one?"""

import ast
from pathlib import Path

import pytest

from tests.architecture.sources import PROJECT, imported_by, name_of, tree_of

HARNESS = ("tests/harness", "tests/acceptance", "tests/chaos")
FILES = sorted(path for folder in HARNESS for path in (PROJECT / folder).rglob("*.py"))
STORIES = [path for path in (PROJECT / "tests" / "acceptance" / "stories").glob("*.py") if path.name != "__init__.py"]
LONGEST_FILE = 350


def test_it_shares_no_code_with_what_it_judges() -> None:
    imports = {(name_of(path), module) for path in FILES for module in imported_by(path)}

    assert len(FILES) > 20
    assert not [one for one in imports if one[1].split(".")[0] in ("genesys_gateway", "app", "wsgi")]


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_a_story_says_in_one_line_what_it_shows_and_can_be_played(path: Path) -> None:
    tree = tree_of(path)

    docstring = ast.get_docstring(tree)
    assert docstring
    assert len(docstring.splitlines()[0]) <= 120
    assert "play" in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


def test_no_file_is_too_long_to_read() -> None:
    assert not [name_of(path) for path in FILES if len(path.read_text().splitlines()) > LONGEST_FILE]
