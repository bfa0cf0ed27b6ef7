"""How the references lay out tables and JSON."""

import json
from collections.abc import Iterable
from textwrap import fill

#: Longest line of prose, and of JSON that stays in one piece.
_WIDTH = 118


def table(*head: str, rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown, with a line break at its end."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n".replace("|  |", "| |").replace("|  |", "| |") for cells in lines)


def code(*words: str) -> str:
    """Words in code, separated by commas."""
    return ", ".join(f"`{word}`" for word in words)


def cell(text: str) -> str:
    """A text that may stand in a table."""
    return " ".join(text.split()).replace("|", "\\|")


def prose(text: str) -> str:
    """Paragraphs with lines of the usual length."""
    whole = (" ".join(one.split()) for one in text.strip().split("\n\n"))
    return "\n\n".join(fill(one, _WIDTH, break_long_words=False, break_on_hyphens=False) for one in whole)


def compact_json(value: object, indent: int = 0) -> str:
    """JSON in which only what would be too long for a line is broken into lines.

    Args:
        indent: Number of characters that stand before the value on its line.
    """
    whole = json.dumps(value, ensure_ascii=False)
    if indent + len(whole) <= _WIDTH or not isinstance(value, dict | list) or not value:
        return whole
    inner = " " * (indent + 1)
    if isinstance(value, list):
        return "[" + f",\n{inner}".join(compact_json(one, indent + 1) for one in value) + "]"
    keys = {name: f"{json.dumps(name)}: " for name in value}
    parts = (f"{keys[name]}{compact_json(one, indent + 1 + len(keys[name]))}" for name, one in value.items())
    return "{" + f",\n{inner}".join(parts) + "}"
