"""The style sheet, the script and the icon of the pages, under addresses that change when they do.

Invariant: only the files named here are served, from memory.
"""

import hashlib
from functools import cache
from importlib.resources import files

#: Each file with its content type.
TYPES = {
    "ops.css": "text/css; charset=utf-8",
    "ops.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@cache
def content(name: str) -> bytes:
    """The content of one of the files in :data:`TYPES`."""
    return files("genesys_gateway.web.ops").joinpath("static", name).read_bytes()


@cache
def address(name: str) -> str:
    """Where a page finds the file. A browser may keep it: with another content it has another address."""
    return f"/ops/static/{name}?v={hashlib.sha256(content(name)).hexdigest()[:12]}"
