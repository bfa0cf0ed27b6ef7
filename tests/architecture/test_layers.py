"""Imports go down only: import-linter checks the contracts of pyproject.toml; the rest is checked here."""

import ast
import sys
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest
from gevent import subprocess

from tests.architecture.sources import PACKAGE, PROJECT, ROOT_FILES, imported_by, name_of, package_files, tree_of


def a_cycle(imports: Mapping[str, set[str]]) -> list[str]:
    """The modules of one import cycle, the first repeated at the end; empty if there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_there_is_no_import_cycle_faces_included() -> None:
    # Imports for the type checker count too: a cycle of theirs is one for the reader.
    graph = grimp.build_graph("genesys_gateway", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}

    assert len(imports) == len(package_files())
    assert a_cycle(imports) == []


def test_the_search_for_cycles_would_find_one() -> None:
    assert a_cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})


def test_the_contracts_of_import_linter_are_kept() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    checked = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)
    assert checked.returncode == 0, checked.stdout


def test_the_package_imports_neither_the_application_nor_tests() -> None:
    above = {"app", "wsgi", "tests"}
    upward = [
        f"{name_of(path)} imports {name}"
        for path in package_files()
        for name in imported_by(path)
        if name.partition(".")[0] in above
    ]
    assert upward == []


def test_the_demo_imports_nothing_else_of_the_package() -> None:
    # import-linter keeps the whole simulator from importing the gateway; the demo may not import the simulator either.
    demo = "genesys_gateway.simulator.demo"
    files = sorted((PACKAGE / "simulator" / "demo").glob("*.py"))
    others = [
        f"{name_of(path)} imports {name}"
        for path in files
        for name in imported_by(path)
        if name.startswith("genesys_gateway") and not name.startswith(demo)
    ]
    assert len(files) > 10
    assert others == []


#: The files that gunicorn loads: they patch, and know the application.
SERVING = PACKAGE / "serving"


def test_wsgi_imports_the_application_only() -> None:
    assert set(imported_by(SERVING / "wsgi.py")) == {"gevent", "genesys_gateway.serving.app"}


def test_what_serves_does_not_import_the_simulator() -> None:
    names = [name for path in SERVING.glob("*.py") for name in imported_by(path)]
    assert len(names) > 20
    assert not [name for name in names if name.startswith("genesys_gateway.simulator")]


@pytest.mark.parametrize("name", ROOT_FILES)
def test_a_file_at_the_top_only_names_what_is_in_the_package(name: str) -> None:
    _, *rest = tree_of(PROJECT / name).body  # the docstring comes first
    assert [type(node) for node in rest] == [ast.ImportFrom]
    assert {imported.partition(".")[0] for imported in imported_by(PROJECT / name)} == {"genesys_gateway"}


@pytest.mark.parametrize("name", ["wsgi.py", "gunicorn_conf.py"])
def test_an_entry_point_patches_before_it_imports_anything_else(name: str) -> None:
    first, second = tree_of(SERVING / name).body[1:3]  # the docstring comes first
    assert ast.unparse(first) == "from gevent import monkey"
    assert ast.unparse(second) == "monkey.patch_all()"
