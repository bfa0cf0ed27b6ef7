"""The project's own source files, parsed."""

import ast
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PACKAGE = PROJECT / "genesys_gateway"

#: The modules beside the package that make it a service.
ROOT_FILES = ("app.py", "wsgi.py", "gunicorn.conf.py")


def package_files() -> list[Path]:
    """Every module of the package, migrations included."""
    return sorted(PACKAGE.rglob("*.py"))


def service_files() -> list[Path]:
    """The package and what makes it a service."""
    return [*package_files(), *(PROJECT / name for name in ROOT_FILES)]


def name_of(path: Path) -> str:
    """How a file is called in a message."""
    return str(path.relative_to(PROJECT))


def tree_of(path: Path) -> ast.Module:
    """The file as a syntax tree."""
    return ast.parse(path.read_text(), name_of(path))


def imported_by(path: Path) -> Iterator[str]:
    """The modules it imports, wherever in the file, by their full names."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
