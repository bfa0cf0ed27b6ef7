"""Reads docs/runbook.md and writes it as HTML: the page, and the entry of each trouble.

Invariant: everything in the document is escaped. Of Markdown only what the runbook uses is understood: headings,
paragraphs, lists, blocks of code, code, bold, and links. Comments, which tell tests how to run a command, are left out.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from posixpath import normpath

from markupsafe import Markup, escape

#: In the installed package the document stands beside this file; in a checkout, among the other documents.
_FILES = (Path(__file__).with_name("runbook.md"), Path(__file__).resolve().parents[3] / "docs" / "runbook.md")

_COMMENT = re.compile(r"^<!--.*?-->\n", re.M | re.S)
_PART = re.compile(r"^### (.+)$", re.M)
_INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^]]+)\]\(([^)]+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """The document in HTML."""

    #: what stands before the first entry
    opening: Markup
    #: by code, without its heading
    entries: Mapping[str, Markup]
    #: by code, the headings inside of its entry; most have none
    parts: Mapping[str, tuple[str, ...]]


@cache
def runbook() -> Runbook:
    """The runbook of this release; an empty one if its file was not installed with the package."""
    found = next((file for file in _FILES if file.exists()), None)
    return parsed("" if found is None else found.read_text(encoding="utf-8"))


def parsed(document: str) -> Runbook:
    """Turn the document into HTML. Each heading of the second level begins an entry, whose code it is."""
    opening, *entries = re.split(r"^## ", _COMMENT.sub("", document), flags=re.M)
    named = [entry.partition("\n") for entry in entries]
    return Runbook(
        opening=_html(opening.partition("\n")[2]),
        entries={code.strip(): _html(text) for code, _, text in named},
        parts={code.strip(): tuple(_PART.findall(text)) for code, _, text in named},
    )


def _html(text: str) -> Markup:
    return Markup("\n").join(_blocks(text))


def _blocks(text: str) -> Iterator[Markup]:
    """Each block of a text as an element; a fenced block may contain empty lines."""
    for number, part in enumerate(re.split(r"^```\w*$\n?", text, flags=re.M)):
        if number % 2:
            yield Markup('<pre tabindex="0" role="region" aria-label="Commands"><code>{}</code></pre>').format(part)
            continue
        for block in filter(None, map(str.strip, part.split("\n\n"))):
            yield _block(block)


def _block(block: str) -> Markup:
    if block.startswith("### "):
        heading = block[4:]
        return Markup('<h3 id="{}">{}</h3>').format(heading.replace(" ", "-"), _inline(heading))
    if block.startswith("* "):
        items = Markup("").join(Markup("<li>{}</li>").format(_inline(one)) for one in block[2:].split("\n* "))
        return Markup("<ul>{}</ul>").format(items)
    return Markup("<p>{}</p>").format(_inline(block))


def _inline(text: str) -> Markup:
    pieces, at = [], 0
    for found in _INLINE.finditer(text):
        pieces += [escape(text[at : found.start()]), _element(*found.groups())]
        at = found.end()
    return Markup("").join([*pieces, escape(text[at:])])


def _element(code: str | None, bold: str | None, label: str | None, target: str | None) -> Markup:
    if code:
        return Markup("<code>{}</code>").format(code)
    if bold:
        return Markup("<b>{}</b>").format(bold)
    text, target = _inline(label or ""), target or ""
    if target.startswith("#"):
        return Markup('<a href="/ops/runbook{}">{}</a>').format(target, text)
    # The other documents are not served: their names say where they are found.
    file = normpath(f"docs/{target.partition('#')[0]}")
    return Markup("{} (<code>{}</code>)").format(text, file)
