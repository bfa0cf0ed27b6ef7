"""Tests do not patch our own code: what they change is an argument, whose default the service uses."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.sources import files_of_tests, name_of, tree_of

#: Packages and modules that no test may patch.
OURS = ("genesys_gateway", "app", "wsgi")
#: Calls whose first argument is the object to patch, or its dotted name.
PATCHING = {"setattr", "delattr", "patch", "object", "multiple"}


def is_ours(module: str) -> bool:
    return module.partition(".")[0] in OURS


def own_names(tree: ast.Module) -> set[str]:
    """The names in a file that stand for modules, classes and functions of ours."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and is_ours(node.module or ""):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names if is_ours(alias.name)}
    return names


def root_of(node: ast.expr) -> str | None:
    """``a`` of ``a.b.c``."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def patches(tree: ast.Module) -> Iterator[int]:
    """The lines in which code of ours is patched."""
    ours = own_names(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=called) | ast.Name(id=called), args=[target, *_]):
                named = isinstance(target, ast.Constant) and isinstance(target.value, str) and is_ours(target.value)
                if called in PATCHING and (named or root_of(target) in ours):
                    yield node.lineno
            case ast.Assign(targets=targets):
                if any(isinstance(target, ast.Attribute) and root_of(target) in ours for target in targets):
                    yield node.lineno


def test_no_test_patches_code_of_ours() -> None:
    assert [f"{name_of(path)}:{line}" for path in files_of_tests() for line in patches(tree_of(path))] == []


@pytest.mark.parametrize(
    "sample",
    [
        "monkeypatch.setattr('genesys_gateway.web.jwt.LIMIT', 3)",
        "from genesys_gateway.web import jwt\nmonkeypatch.setattr(jwt, 'LIMIT', 3)",
        "from genesys_gateway.web.jwt import Key\nmonkeypatch.delattr(Key, 'id')",
        "from genesys_gateway.web.jwt import Key as K\nmock.patch.object(K.id, 'x')",
        "import genesys_gateway.web.jwt\nsetattr(genesys_gateway.web.jwt, 'LIMIT', 3)",
        "with mock.patch('genesys_gateway.web.jwt.LIMIT', 3): pass",
        "from genesys_gateway.web import jwt\njwt.LIMIT = 3",
    ],
)
def test_the_search_for_patches_would_find_them(sample: str) -> None:
    assert list(patches(ast.parse(sample)))


def test_patching_of_other_code_is_allowed() -> None:
    samples = ("monkeypatch.setattr('socket.getaddrinfo', x)", "monkeypatch.setattr(hmac, 'compare_digest', x)")
    assert not [sample for sample in samples if list(patches(ast.parse(sample)))]
