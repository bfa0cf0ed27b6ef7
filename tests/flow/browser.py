"""Debian's Chromium, driven by Playwright, and axe-core as the judge of how accessible a page is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

#: Milliseconds that a page may take: the machine may be busy.
PATIENCE_MS = 45_000.0
PROGRAM = "chromium"
#: A name under which the browser finds this machine.
NAMED = "gateway.test"
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
#: What 1280 pixels become at a zoom of 200 %.
ZOOMED: ViewportSize = {"width": 640, "height": 450}

expect.set_options(timeout=PATIENCE_MS)

_OPTIONS = ("--no-sandbox", "--disable-gpu", f"--host-resolver-rules=MAP {NAMED} 127.0.0.1")


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser without a window; the test is skipped where there is none."""
    program = shutil.which(PROGRAM)
    if program is None:
        pytest.skip("no chromium here (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=[*_OPTIONS])
        try:
            yield launched
        finally:
            launched.close()


class Visit:
    """One visitor with a page of its own; :attr:`complaints` is what the browser complained about."""

    def __init__(self, launched: Browser, base: str, **options: Any) -> None:
        self.context = launched.new_context(base_url=base, viewport=options.pop("viewport", DESKTOP), **options)
        self.context.set_default_timeout(PATIENCE_MS)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda line: self.complaints.append(line.text) if _is_grave(line) else None)
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))

    def log_in(self, token: str) -> Page:
        """Log in by the form; the overview is shown."""
        self.page.goto("/ops/login")
        self.page.get_by_label("Token of an operator").fill(token)
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url("**/ops/")
        return self.page


def _is_grave(line: Any) -> bool:
    # What the server refuses, as a wrong token, is logged by Chromium, too.
    return line.type == "error" and "Failed to load resource" not in line.text


def violations(page: Page) -> list[str]:
    """What axe finds wrong with a page, in both colour schemes, on a desktop, on a phone, and at 200 %."""
    found = []
    for scheme in ("light", "dark"):
        for size in (DESKTOP, PHONE):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.set_viewport_size(size)
            result = Axe().run(page, options={"resultTypes": ["violations"]})
            found += [
                f"{page.url} {scheme} {size['width']}: {one['id']}: {one['nodes'][0]['html'][:300]}"
                for one in result.response["violations"]
            ]
    return found + [f"{page.url} scrolls sideways at {width}" for width in sideways(page)]


def sideways(page: Page) -> list[int]:
    """The widths at which a page has to be scrolled sideways."""
    found = []
    for size in (PHONE, ZOOMED, DESKTOP):
        page.set_viewport_size(size)
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            found.append(size["width"])
    return found
