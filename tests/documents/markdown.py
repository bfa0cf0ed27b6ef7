"""Reads the documents: their blocks of code with the marks before them, headings, links and words in code.

Invariant: a Markdown parser finds them, so a block in a list counts like any other.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.architecture.sources import PROJECT, name_of

_PARSER = MarkdownIt("commonmark").enable("table")
#: A comment that is a whole block of HTML.
_COMMENT = re.compile(r"<!--\s*(.*?)\s*-->\s*", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """A block of code."""

    page: Path
    #: number of the line on which it begins
    line: int
    #: empty if it has none
    language: str
    text: str
    #: the comment directly before it; empty if there is none
    comment: str

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        page = name_of(self.page) if self.page.is_relative_to(PROJECT) else self.page.name
        return f"{page}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Some words of a document: a link's target, or words in code."""

    line: int
    text: str


def documents() -> list[Path]:
    """Every document for people."""
    top = (PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"))
    return [*top, *sorted((PROJECT / "docs").rglob("*.md"))]


@cache
def _tokens(page: Path) -> tuple[Token, ...]:
    return tuple(_PARSER.parse(page.read_text()))


def fences(page: Path) -> Iterator[Fence]:
    """The blocks of code of a document; one that is only indented has no language."""
    before = ""
    for token in _tokens(page):
        if token.type in ("fence", "code_block"):
            language = token.info.split()[0] if token.info else ""
            line = (token.map or [0])[0] + 1
            yield Fence(page=page, line=line, language=language, text=token.content, comment=before)
        comment = _COMMENT.fullmatch(token.content) if token.type == "html_block" else None
        before = comment[1] if comment else ""


def headings(page: Path) -> list[str]:
    """The text of each heading, with its marks of code and links left out."""
    of_headings = (after for token, after in pairwise(_tokens(page)) if token.type == "heading_open")
    return ["".join(one.content for one in inline.children or ()) for inline in of_headings]


@cache
def anchors(page: Path) -> tuple[str, ...]:
    """The names of the headings in links, as GitHub makes them; a second one of a name gets a number."""
    names: list[str] = []
    for heading in headings(page):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        again = sum(1 for known in names if known == name or re.fullmatch(rf"{re.escape(name)}-\d+", known))
        names.append(f"{name}-{again}" if again else name)
    return tuple(names)


def links(page: Path) -> Iterator[Span]:
    """The targets of all links and pictures."""
    for line, child in _inline(page):
        if child.type in ("link_open", "image"):
            target = child.attrGet("href" if child.type == "link_open" else "src")
            yield Span(line=line, text=str(target))


def spans(page: Path) -> Iterator[Span]:
    """The words in code, such as ``make demo``."""
    for line, child in _inline(page):
        if child.type == "code_inline":
            yield Span(line=line, text=child.content)


def _inline(page: Path) -> Iterator[tuple[int, Token]]:
    for token in _tokens(page):
        for child in token.children or ():
            yield (token.map or [0])[0] + 1, child
