"""The documents build as a site, in which each link leads somewhere and nothing comes from another host."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import pytest
from markdown_it import MarkdownIt

from tests.architecture.sources import PROJECT, name_of
from tests.documents.markdown import documents
from tests.harness.chromium import browser
from tests.harness.required import skip_or_fail

#: What a browser fetches by itself, with its address.
_FETCHED = re.compile(
    r"<(?:script|img|iframe|source|link(?![^>]*rel=\"?(?:canonical|prev|next))|video|audio|object)\b[^>]*?"
    r"\b(?:src|href|data)=\"?([^\s\">]+)"
)
_STYLE = re.compile(r"(?:url\(|@import )[\"']?([^\"')]+)")
_ELSEWHERE = ("http:", "https:", "//")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("mkdocs") is None:
        skip_or_fail("mkdocs is not installed: make site", "SITE")
    folder = tmp_path_factory.mktemp("site")
    command = (sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder))
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300, env=quiet)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the class above
        """Print nothing."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_every_document_is_a_page(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text())
    found = {entry["location"].partition("#")[0] for entry in index["docs"]}

    assert len(found) == len(documents())
    assert {"index.html", "settings.html", "adr/index.html", "project/security.html"} <= found


def test_nothing_is_fetched_from_another_host(site: Path) -> None:
    fetched = {
        f"{path.relative_to(site)}: {address}"
        for path in site.rglob("*")
        if path.suffix in (".html", ".css")
        for address in (_FETCHED if path.suffix == ".html" else _STYLE).findall(path.read_text())
        if address.startswith(_ELSEWHERE)
    }

    assert fetched == set()


def test_a_browser_finds_a_setting_by_its_name_and_asks_no_other_host(site: Path) -> None:
    with serving(site) as url, browser() as page:
        page.go(f"{url}/index.html?q=GATEWAY_LEASE_SECONDS")
        page.wait_for("!!document.querySelector('.md-search-result__link[href*=\"settings.html\"]')")

        loaded = page.ask("performance.getEntriesByType('resource').map(one => one.name)")
        assert len(loaded) > 3
        assert [one for one in loaded if not one.startswith(f"{url}/")] == []
        assert page.complaints == []


def test_a_file_outside_the_documents_is_in_the_site_if_one_links_to_it(site: Path) -> None:
    copy = site / "files" / "deploy" / "prometheus" / "alerts.yml.txt"

    assert copy.read_bytes() == (PROJECT / "deploy" / "prometheus" / "alerts.yml").read_bytes()
    assert 'href="files/deploy/prometheus/alerts.yml.txt"' in (site / "metrics.html").read_text()


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_a_page_has_the_parts_that_github_shows(site: Path, document: Path) -> None:
    page = (site / place_of(document)).read_text().partition("<article")[2].partition("</article>")[0]
    as_github = MarkdownIt("commonmark").enable("table").render(document.read_text())

    assert parts(page) == parts(as_github)


def place_of(document: Path) -> str:
    name = name_of(document)
    moved = {"README.md": "overview", "CHANGELOG.md": "changes"}
    if not name.startswith("docs/"):
        return f"project/{moved.get(name, name.removesuffix('.md').lower())}.html"
    return name.removeprefix("docs/").replace("README.md", "index.md").removesuffix(".md") + ".html"


def parts(html: str) -> Counter[str]:
    return Counter(re.findall(r"<(li|ol|ul|pre|code|table|tr|h[1-6]|img|strong|em)[ >]", html))


def test_lists_blocks_and_marks_are_read_as_github_does(site: Path) -> None:
    page = (site / "move-support-result.html").read_text()

    assert "run: simulated" not in page
    steps = page.partition('id="step-by-step"')[2].partition('id="how-to-go-back"')[0]
    assert steps.count("<ol>") == 1
    assert steps.count("<pre") == 1
