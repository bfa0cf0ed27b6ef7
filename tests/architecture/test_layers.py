"""Imports go down only: inside the package by import-linter, around it by looking."""

import ast
import sys
from pathlib import Path

import pytest
from gevent import subprocess

from tests.architecture.sources import PROJECT, ROOT_FILES, imported_by, name_of, package_files, tree_of


def test_the_contracts_of_import_linter_are_kept() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    checked = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)
    assert checked.returncode == 0, checked.stdout


def test_the_package_knows_nothing_of_what_stands_on_it() -> None:
    above = {"app", "wsgi", "tests"}
    climbing = [
        f"{name_of(path)} imports {name}"
        for path in package_files()
        for name in imported_by(path)
        if name.partition(".")[0] in above
    ]
    assert climbing == []


def test_wsgi_knows_the_application_only() -> None:
    assert set(imported_by(PROJECT / "wsgi.py")) == {"gevent", "app"}


def test_the_application_knows_neither_the_simulator_nor_the_other_entrances() -> None:
    names = set(imported_by(PROJECT / "app.py")) | set(imported_by(PROJECT / "gunicorn.conf.py"))
    assert not [
        name
        for name in names
        if name.startswith(("genesys_gateway.simulator", "genesys_gateway.simulator.demo.main", "wsgi"))
    ]


@pytest.mark.parametrize("name", [name for name in ROOT_FILES if name != "app.py"])
def test_an_entrance_patches_before_it_imports_anything_else(name: str) -> None:
    first, second = tree_of(PROJECT / name).body[1:3]  # the docstring comes first
    assert ast.unparse(first) == "from gevent import monkey"
    assert ast.unparse(second) == "monkey.patch_all()"
