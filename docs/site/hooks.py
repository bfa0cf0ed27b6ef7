"""Makes a site of the documents as they are on GitHub: reads them as GitHub does, and leads their links into the site.

A link to another document leads to its page, also to README and the others outside docs/; a link to any other file
leads to a copy of it, and one to a folder becomes plain text.
"""

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PROJECT = Path(__file__).parents[2]
#: Documents outside docs/, and where they are in the site.
OUTSIDE = {
    "README.md": "project/overview.md",
    "CHANGELOG.md": "project/changes.md",
    "SECURITY.md": "project/security.md",
    "CONTRIBUTING.md": "project/contributing.md",
}
#: Endings that browsers show; others get .txt behind them.
_SHOWN = {".json", ".png", ".svg"}
_LINK = re.compile(r"\[([^\[\]]*)\]\((?![a-z]+:|#)([^)\s]+)\)")
_MARK = re.compile(r"^ *<!--\s*(?:not run|run by|run):.*?-->\n", re.MULTILINE | re.DOTALL)
_ITEM = re.compile(r" *([*+-]|\d+[.)]) +")
_PARSER = MarkdownIt("commonmark").enable("table")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the decisions to the navigation, below their list."""
    names = sorted(path.name for path in (PROJECT / "docs" / "adr").glob("0*.md"))
    explanation = next(part["Explanation"] for part in config.nav or [] if "Explanation" in part)
    explanation.append({"Decisions": ["adr/README.md", *(f"adr/{name}" for name in names)]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the documents outside docs/ and the files that documents link to."""
    for name, place in OUTSIDE.items():
        files.append(File.generated(config, place, abs_src_path=str(PROJECT / name)))
    documents = [PROJECT / name for name in OUTSIDE] + sorted((PROJECT / "docs").rglob("*.md"))
    for name in sorted({name for path in documents for name in _files_linked_from(path)}):
        files.append(File.generated(config, _copy_of(name), abs_src_path=str(PROJECT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return the text with its links led into the site, without marks, and with lists indented as mkdocs wants it."""
    source = Path(str(page.file.abs_src_path)).relative_to(PROJECT)
    return _indented(_MARK.sub("", _outside_code(markdown, lambda text: _led(text, source, page.file.src_uri))))


def _led(text: str, source: Path, page: str) -> str:
    """Lead each link to where its target is in the site."""

    def lead(link: re.Match[str]) -> str:
        file, hash_sign, anchor = link[2].partition("#")
        name = posixpath.normpath(posixpath.join(source.parent.as_posix(), file))
        place = _place_of(name)
        if (PROJECT / name).is_dir():
            return link[1]
        if place is None:
            return link[0]
        return f"[{link[1]}]({posixpath.relpath(place, posixpath.dirname(page) or '.')}{hash_sign}{anchor})"

    return _LINK.sub(lead, text)


def _place_of(name: str) -> str | None:
    """Where a file of the project is in the site."""
    if name in OUTSIDE:
        return OUTSIDE[name]
    if name.startswith("docs/"):
        return name.removeprefix("docs/")
    return _copy_of(name) if (PROJECT / name).is_file() else None


def _copy_of(name: str) -> str:
    return f"files/{name}" + ("" if Path(name).suffix in _SHOWN else ".txt")


def _files_linked_from(path: Path) -> set[str]:
    """The files outside docs/ that a document links to and that are no documents of the site themselves."""
    folder = path.parent.relative_to(PROJECT).as_posix()
    targets = (link.partition("#")[0] for _, link in _LINK.findall(path.read_text()))
    names = {posixpath.normpath(posixpath.join(folder, target)) for target in targets if target}
    return {name for name in names if (PROJECT / name).is_file() and (_place_of(name) or "").startswith("files/")}


def _outside_code(markdown: str, change: Callable[[str], str]) -> str:
    """Change the text between blocks of code."""
    pieces, begin = [], 0
    lines = markdown.splitlines(keepends=True)
    for token in _PARSER.parse(markdown):
        if token.type in ("fence", "code_block") and token.map:
            pieces += [change("".join(lines[begin : token.map[0]])), "".join(lines[slice(*token.map)])]
            begin = token.map[1]
    return "".join([*pieces, change("".join(lines[begin:]))])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """An item of a list: its first line, and how far its mark and its text are indented."""

    begin: int
    mark: int
    text: int


def _indented(markdown: str) -> str:
    """Indent what belongs to an item of a list by four, and put an empty line before each list and after long items.

    GitHub indents by the width of the item's mark; what mkdocs is made with knows steps of four only, and takes an item
    behind a paragraph for a part of it.
    """
    lines = markdown.split("\n")
    around: list[list[_Item]] = [[] for _ in lines]
    apart: set[int] = set()
    item_before: dict[int, list[int]] = {}
    for token in _PARSER.parse(markdown):
        if not token.map:
            continue
        begin = token.map[0]
        if token.type == "list_item_open" and (mark := _ITEM.match(lines[begin])):
            item = _Item(begin=begin, mark=mark.start(1), text=mark.end())
            for number in range(*token.map):
                around[number].append(item)
            if not all(line.strip() for line in lines[slice(*item_before.get(token.level, [0, 0]))]):
                apart.add(begin)
            item_before[token.level] = token.map
        elif token.type.endswith("_list_open") and token.level == 0:
            apart.add(begin)
    moved = (_line(number, line, around[number]) for number, line in enumerate(lines))
    return "\n".join(f"\n{line}" if number in apart else line for number, line in enumerate(moved))


def _line(number: int, line: str, items: Sequence[_Item]) -> str:
    if not items or not line.strip():
        return line
    item = items[-1]
    if number == item.begin:
        return "    " * (len(items) - 1) + line[item.mark :]
    indented = len(line) - len(line.lstrip())
    return "    " * len(items) + line[min(item.text, indented) :]
