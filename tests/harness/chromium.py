"""A real browser for tests: Debian's headless Chromium, driven over its DevTools socket."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import websocket

_PATIENCE_SECONDS = 15.0
_LOOK_SECONDS = 0.05
#: It must speak to nobody but the page under test.
_QUIET = ("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync")
_KEYS = {"Tab": 9, "Enter": 13, " ": 32}


class Page:
    """One tab. What is asked of it is JavaScript, what is done to it are real key presses."""

    def __init__(self, uri: str) -> None:
        self._socket = websocket.create_connection(uri, timeout=_PATIENCE_SECONDS, suppress_origin=True)
        self._numbers = itertools.count(1)
        #: what the page complained about on its console
        self.complaints: list[str] = []
        self._command("Runtime.enable")
        self._command("Page.enable")

    def go(self, url: str) -> None:
        self._command("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete'")

    def ask(self, script: str) -> Any:
        answer = self._command("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{script}: {answer['exceptionDetails']['text']}")
        return answer["result"].get("value")

    def wait_for(self, script: str) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self.ask(script):
            if time.monotonic() > deadline:
                raise AssertionError(f"never came true: {script}")
            time.sleep(_LOOK_SECONDS)

    def press(self, key: str) -> None:
        code = _KEYS[key]
        text = {"Enter": "\r", " ": " "}.get(key, "")
        common = {"key": key, "windowsVirtualKeyCode": code, "nativeVirtualKeyCode": code}
        self._command("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
        self._command("Input.dispatchKeyEvent", type="keyUp", **common)

    def tab_to(self, label: str, most: int = 60) -> None:
        """Walk with the Tab key until the focused element reads like that; an AssertionError when none does."""
        for _ in range(most):
            self.press("Tab")
            if self.ask("document.activeElement.innerText.replace(/\\s+/g, ' ').trim()").startswith(label):
                return
        raise AssertionError(f"no {label!r} within {most} tabs")

    def close(self) -> None:
        self._socket.close()

    def _command(self, method: str, **params: Any) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("method") == "Runtime.exceptionThrown":
                self.complaints.append(str(message["params"]))
            if message.get("id") == number:
                if "error" in message:
                    raise AssertionError(message["error"])
                return message["result"]


@contextmanager
def browser() -> Iterator[Page]:
    """A browser with one empty page; the test is skipped where there is none."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium here (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", *_QUIET]
        process = subprocess.Popen(
            [program, *options, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            page = Page(_page_uri(Path(profile) / "DevToolsActivePort"))
            yield page
            page.close()
        finally:
            process.terminate()
            process.wait(_PATIENCE_SECONDS)


def _page_uri(port_file: Path) -> str:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if port_file.exists() and (lines := port_file.read_text(encoding="ascii").split()):
            targets = requests.get(f"http://127.0.0.1:{lines[0]}/json/list", timeout=_PATIENCE_SECONDS).json()
            for target in targets:
                if target["type"] == "page":
                    return str(target["webSocketDebuggerUrl"])
        time.sleep(_LOOK_SECONDS)
    raise AssertionError("the browser did not come up")
