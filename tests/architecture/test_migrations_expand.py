"""Migrations only add: the release before runs beside the new one while instances are upgraded one after the other.

What the release before reads or writes is removed by a later release, when nothing uses it any more. Then its revision
is allowed below, with the release that stopped using it.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

VERSIONS = Path(__file__).parents[2] / "genesys_gateway/storage/migrations/versions"
#: Revisions from before several instances ran together.
EARLIER = "r0009"
#: Operations that take something away, or change its meaning.
TAKING = {
    "drop_column",
    "drop_table",
    "rename_table",
    "alter_column",
    "batch_alter_table",
    "create_check_constraint",
    "create_foreign_key",
    "create_unique_constraint",
    "create_primary_key",
    "create_exclude_constraint",
}
#: Beginnings of SQL that does.
TAKING_SQL = ("drop table", "alter table", "delete", "truncate")


def takes(source: str) -> list[str]:
    """What the code of a migration takes away or makes necessary."""
    return [problem for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) for problem in _of(node)]


def _of(call: ast.Call) -> Iterator[str]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in TAKING:
        yield f"line {call.lineno}: {name}"
    if name == "create_index" and _is(call, "unique", True):
        yield f"line {call.lineno}: a unique index on a table that there is"
    if name == "add_column":
        yield from (
            f"line {call.lineno}: a column that needs a value"
            for column in ast.walk(call)
            if isinstance(column, ast.Call) and _is(column, "nullable", False) and not _given(column, "server_default")
        )
    for text in (one.value for one in ast.walk(call) if isinstance(one, ast.Constant) and isinstance(one.value, str)):
        if name in {"execute", "text"} and text.strip().lower().startswith(TAKING_SQL):
            yield f"line {call.lineno}: {text.strip()[:40]}"


def _given(call: ast.Call, name: str) -> bool:
    return any(one.arg == name for one in call.keywords)


def _is(call: ast.Call, name: str, value: bool) -> bool:
    return any(one.arg == name and getattr(one.value, "value", None) is value for one in call.keywords)


def later() -> list[Path]:
    return [one for one in sorted(VERSIONS.glob("r*.py")) if one.stem[: len(EARLIER)] > EARLIER]


def test_there_are_migrations_to_check() -> None:
    assert [one.stem[: len(EARLIER)] for one in later()][:1] == ["r0010"]


@pytest.mark.parametrize("path", later(), ids=lambda path: path.stem)
def test_a_migration_leaves_what_the_release_before_uses(path: Path) -> None:
    assert takes(path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        'op.drop_column("instance", "epoch")',
        'op.drop_table("instance")',
        'op.rename_table("instance", "process")',
        'op.alter_column("instance", "epoch", new_column_name="term")',
        'op.add_column("instance", sa.Column("client", sa.String(64), nullable=False))',
        'op.create_index("one", "instance", ["client"], unique=True)',
        'op.execute("ALTER TABLE instance DROP COLUMN epoch")',
        'op.execute(sa.text("DROP TABLE instance"))',
    ],
)
def test_one_that_takes_something_away_is_found(line: str) -> None:
    assert takes(line)


@pytest.mark.parametrize(
    "line",
    [
        'op.add_column("instance", sa.Column("client", sa.String(64)))',
        'op.add_column("instance", sa.Column("n", sa.Integer, nullable=False, server_default="0"))',
        'op.create_table("place", sa.Column("id", sa.String(36), nullable=False))',
        'op.create_index("one", "instance", ["client"])',
        'op.drop_index("one")',
    ],
)
def test_one_that_adds_is_not(line: str) -> None:
    assert takes(line) == []
