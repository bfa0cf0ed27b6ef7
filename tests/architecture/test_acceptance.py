"""Harness, stories, chaos and loads in motion judge the gateway from outside; their files and functions are short."""

import ast
from pathlib import Path

import pytest

from tests.architecture.sources import (
    MOST_LINES,
    MOST_LINES_OF_A_FUNCTION,
    PROJECT,
    imported_by,
    name_of,
    too_long,
    tree_of,
)

#: What judges the gateway from outside.
OUTSIDE = ("harness", "acceptance", "chaos", "benchmarks/motion", "benchmarks/operated", "benchmarks/speed")
#: May measure parts of the gateway from inside.
BENCHMARKS = "benchmarks"
#: They share code with the gateway, or import it.
INSIDE = ("genesys_gateway", "app", "wsgi", "tests.doubles")
STORIES = [path for path in (PROJECT / "tests/acceptance/stories").glob("*.py") if path.name != "__init__.py"]


def files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (PROJECT / "tests" / folder).rglob("*.py"))


def test_what_judges_from_outside_shares_no_code_with_the_gateway() -> None:
    imports = {(name_of(path), module) for path in files(*OUTSIDE) for module in imported_by(path)}

    assert len(files(*OUTSIDE)) > 50
    assert not [one for one in imports if any(f"{one[1]}.".startswith(f"{name}.") for name in INSIDE)]


def test_the_harness_does_not_import_what_is_built_on_it() -> None:
    imports = {(name_of(path), module) for path in files("harness") for module in imported_by(path)}

    assert not [one for one in imports if one[1].startswith("tests.") and not one[1].startswith("tests.harness")]


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_a_story_says_in_one_line_what_it_shows_and_can_be_played(path: Path) -> None:
    tree = tree_of(path)

    docstring = ast.get_docstring(tree)
    assert docstring
    assert len(docstring.splitlines()[0]) <= 120
    assert "play" in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


def test_no_file_is_too_long_to_read() -> None:
    assert too_long(files(*OUTSIDE, BENCHMARKS), MOST_LINES) == {}


def test_no_function_is_too_long_to_read() -> None:
    found = [
        f"{name_of(path)}: {node.name}"
        for path in files(*OUTSIDE, BENCHMARKS)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef)
        and (node.end_lineno or 0) - node.body[0].lineno >= MOST_LINES_OF_A_FUNCTION
    ]
    assert found == []
