"""`python -m tests.pictures`: takes the pictures of the dashboard that the documents show, with Debian's Chromium."""

from gevent import monkey

monkey.patch_all()

import struct  # noqa: E402 - gevent patches first
import sys  # noqa: E402
import zlib  # noqa: E402
from dataclasses import replace  # noqa: E402
from pathlib import Path  # noqa: E402

from playwright.sync_api import Browser, ViewportSize, expect  # noqa: E402

from genesys_gateway.oversight.status import Status  # noqa: E402
from tests.doubles.operated import a_status  # noqa: E402
from tests.doubles.served import Served  # noqa: E402
from tests.doubles.web import OPS_TOKEN  # noqa: E402
from tests.flow.browser import PHONE, Visit, browser  # noqa: E402

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_WIDE: ViewportSize = {"width": 1280, "height": 1010}
#: The last four minutes of an hour.
_LATELY = range(336, 360)


def main() -> None:
    """Take all pictures."""
    with browser() as launched:
        _take(launched, "dashboard-light", "light", _WIDE, troubled=True)
        _take(launched, "dashboard-dark", "dark", _WIDE, troubled=False)
        _take(launched, "dashboard-phone", "light", PHONE, troubled=True)


def _troubled(backlog: int) -> Status:
    """CommunicationHistory has been away for four minutes."""
    status = a_status("receiver_down")
    text = f"CommunicationHistory does not take records (HTTP 503); {backlog:,} records wait for it."
    return replace(status, backlog=backlog, troubles=(replace(status.troubles[0], text=text),))


def _take(launched: Browser, name: str, scheme: str, size: ViewportSize, *, troubled: bool) -> None:
    served = Served(away_at=_LATELY) if troubled else Served()
    status = _troubled(round(served.gateway.hour.points()[-1].backlog)) if troubled else a_status()
    try:
        visit = Visit(launched, served.url, viewport=size, color_scheme=scheme)
        page = visit.log_in(OPS_TOKEN)
        served.watch.show(status)
        expect(page.locator(".troubles > li")).to_have_count(len(status.troubles))
        smaller = _packed(page.screenshot())
        (FOLDER / f"{name}.png").write_bytes(smaller)
        sys.stdout.write(f"{name}.png: {len(smaller) // 1024} KiB\n")
        visit.context.close()
    finally:
        served.stop()


def _packed(png: bytes) -> bytes:
    """The same picture, compressed as much as zlib can: Chromium is in a hurry."""
    at, pieces, packed = len(_SIGNATURE), [], b""
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        if kind == b"IDAT":
            packed += content
        else:
            pieces.append((kind, content))
        at += 12 + length
    pieces.insert(-1, (b"IDAT", zlib.compress(zlib.decompress(packed), 9)))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in pieces
    )


if __name__ == "__main__":
    main()
