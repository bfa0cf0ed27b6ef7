"""Every link of the documents leads somewhere."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.architecture.sources import PROJECT, name_of
from tests.documents.markdown import anchors, documents, links

#: Addresses at which a reader's own processes listen.
_OWN = ("127.0.0.1", "localhost")


@pytest.mark.parametrize("page", documents(), ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if re.match(r"[a-z]+:", link.text):
            continue
        file, place = target(page, link.text), link.text.partition("#")[2]

        assert file.exists(), f"line {link.line}: {link.text}"
        assert file.is_relative_to(PROJECT), f"line {link.line}: {link.text}"
        assert not place or place in anchors(file), f"line {link.line}: {link.text}"


@pytest.mark.parametrize("page", documents(), ids=name_of)
def test_links_to_other_hosts_are_https_and_well_formed(page: Path) -> None:
    for link in links(page):
        if not re.match(r"[a-z]+:", link.text):
            continue
        parts = urlsplit(link.text)

        assert parts.scheme == "https" or parts.hostname in _OWN, f"line {link.line}: {link.text}"
        assert re.fullmatch(r"[!-~]+", link.text), f"line {link.line}: {link.text}"
        assert parts.hostname in _OWN or re.fullmatch(r"([a-z0-9-]+\.)+[a-z]{2,}", parts.hostname or ""), link.text


def test_a_link_to_a_heading_that_is_there_twice_would_be_ambiguous() -> None:
    twice = {
        (page, name)
        for page in documents()
        for name in anchors(page)
        if re.search(r"-\d+$", name) and name.rpartition("-")[0] in anchors(page)
    }
    used = {(target(page, link.text), link.text.partition("#")[2]) for page in documents() for link in links(page)}

    assert used & twice == set(), "the site numbers headings otherwise than GitHub"


def target(page: Path, link: str) -> Path:
    """The file to which a link leads."""
    file = link.partition("#")[0]
    return (page.parent / file).resolve() if file else page
