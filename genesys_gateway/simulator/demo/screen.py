"""Prints what the user of the demo sees: headings, one line for each message between two parties, tables.

Invariant: colours only in a terminal that wants them; the text is complete without them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from typing import TextIO

_BOLD, _DIM, _RED, _GREEN, _CYAN = "1", "2", "31", "32", "36"

#: Widths of the columns sender, receiver and text of a message, in characters; the result follows them.
_SENDER, _RECEIVER, _TEXT = 10, 8, 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """Writes to a stream, with colours or without."""

    stream: TextIO
    coloured: bool

    @classmethod
    def on(cls, stream: TextIO, environ: Mapping[str, str]) -> "Screen":
        """Create a screen for the stream; whether it is coloured follows https://no-color.org."""
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without the arrow must not end the demo
        wanted = not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        return cls(stream=stream, coloured=wanted and stream.isatty())

    def line(self, text: str) -> None:
        """Print one line as it is."""
        self.stream.write(f"{text}\n")
        self.stream.flush()

    def heading(self, text: str) -> None:
        """Print a heading after an empty line."""
        self.line(f"\n{self._in(_BOLD, text)}")

    def message(self, sender: str, receiver: str, text: str, result: str = "", *, good: bool = True) -> None:
        """Print one message from a party to another: its result in green, or in red unless it is ``good``."""
        parties = self._in(_CYAN, f"{sender:>{_SENDER}} → {receiver:<{_RECEIVER}}")
        shown = self._in(_GREEN if good else _RED, result)
        self.line(f"{parties}  {text:<{_TEXT}}  {shown}".rstrip())

    def error(self, text: str) -> None:
        """Print a line in red."""
        self.line(self._in(_RED, text))

    def success(self, text: str) -> None:
        """Print a line in green."""
        self.line(self._in(_GREEN, text))

    def table(self, titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print rows under titles, each column as wide as its widest cell."""
        lines = [tuple(titles), *(tuple(row) for row in rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
        for number, line in enumerate(lines):
            text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            self.line("  " + (text if number else self._in(_DIM, text)))

    def _in(self, colour: str, text: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self.coloured and text else text
