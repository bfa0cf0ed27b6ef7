"""`simulator verify`: fetches the balance of a running simulator and reports whether it is clean."""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.request
from typing import Any

_POLL_SECONDS = 0.5
_TIMEOUT_SECONDS = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `verify` to a parser."""
    parser.add_argument("--url", default="http://127.0.0.1:9000", help="where the simulator listens")
    parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="how long to wait for a clean one")
    parser.add_argument("--json", action="store_true", help="print the balance as JSON")


def verify(options: argparse.Namespace) -> int:
    """Print the balance. Returns the exit code: 0 if it is clean, 1 if not, 2 if the simulator can't be reached."""
    deadline = time.monotonic() + options.wait
    try:
        balance = _fetch_balance(options.url)
        while not balance["clean"] and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            balance = _fetch_balance(options.url)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"can't ask {options.url}: {error}\n")
        return 2
    sys.stdout.write(json.dumps(balance, indent=2) + "\n" if options.json else _table(balance))
    return 0 if balance["clean"] else 1


def _fetch_balance(url: str) -> dict[str, Any]:
    # A simulator has no other scheme, and urllib would also read files.
    if not url.startswith("http://"):
        raise ValueError("the URL has to begin with http://")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{url.rstrip('/')}/_sim/balance", timeout=_TIMEOUT_SECONDS) as reply:
        balance = json.load(reply)
    return dict(balance)


def _table(balance: dict[str, Any]) -> str:
    rows = [
        ("expected", "ends of after-call work that had to be recorded"),
        ("storedOnce", "recorded exactly once"),
        ("doubled", "recorded more than once"),
        ("lost", "not recorded"),
        ("strange", "records of something that did not happen"),
        ("withoutSession", "records that name no session, judged by agent and time"),
    ]
    lines = [f"{balance[name]:>8}  {text}" for name, text in rows]
    for name, keys in balance["examples"].items():
        lines += [f"          {name}: {key}" for key in keys]
    lines.append("clean" if balance["clean"] else "NOT CLEAN")
    return "\n".join(lines) + "\n"
