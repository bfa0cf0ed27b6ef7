"""The face of every folder lists its files, and each list is complete and correct."""

import ast
import re
from pathlib import Path

import pytest

import genesys_gateway
from tests.architecture.sources import PACKAGE, name_of, tree_of

#: The face of a folder is its ``__init__.py``. Those of the migrations belong to Alembic.
FACES = [path for path in sorted(PACKAGE.rglob("__init__.py")) if "migrations" not in path.parts]
#: Stations on the path of the data that are not folders of the package.
OUTSIDE = {"BOFE", "Genesys", "CommunicationHistory"}
#: Maximum number of files and folders at the top of the package.
MOST_NAMES = 19
#: Maximum number of names that a face exports.
MOST_EXPORTS = 6


def contents(folder: Path) -> list[str]:
    """The modules and folders directly in a folder."""
    modules = [path.stem for path in folder.glob("*.py") if path.name != "__init__.py"]
    folders = [path.name for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__"]
    return sorted(modules + folders)


@pytest.mark.parametrize("face", FACES, ids=name_of)
def test_a_face_lists_each_of_its_files_once_and_nothing_else(face: Path) -> None:
    lines = re.findall(r"^    (\w+(?:, \w+)*)  +\S", ast.get_docstring(tree_of(face)) or "", re.MULTILINE)
    named = [name for line in lines for name in line.split(", ")]
    assert sorted(named) == contents(face.parent)


@pytest.mark.parametrize("face", FACES, ids=name_of)
def test_a_face_holds_no_code_and_exports_a_handful_of_names(face: Path) -> None:
    _, *rest = tree_of(face).body
    exports = [node for node in rest if isinstance(node, ast.Assign)]
    assert all(isinstance(node, ast.Import | ast.ImportFrom | ast.Assign) for node in rest)
    assert [ast.unparse(node.targets[0]) for node in exports] in ([], ["__all__"])
    assert all(len(ast.literal_eval(node.value)) <= MOST_EXPORTS for node in exports)


@pytest.mark.parametrize("face", FACES, ids=name_of)
def test_a_folder_does_not_import_its_own_face(face: Path) -> None:
    own = ".".join(face.parent.relative_to(PACKAGE.parent).parts)
    importing = [
        f"{name_of(path)} imports {alias.name}"
        for path in face.parent.rglob("*.py")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and node.module == own
        for alias in node.names
        if path != face and alias.name not in contents(face.parent)
    ]
    assert importing == []


def test_the_package_has_few_names_at_its_top() -> None:
    assert len([*contents(PACKAGE), "__init__"]) <= MOST_NAMES


def test_the_path_of_the_data_leads_through_folders_that_exist() -> None:
    paths = re.findall(r"^    (\w+(?: → \w+)+)  ", genesys_gateway.__doc__ or "", re.MULTILINE)
    stations = {station for path in paths for station in path.split(" → ")}
    assert len(paths) == 5
    assert stations - OUTSIDE <= set(contents(PACKAGE))
