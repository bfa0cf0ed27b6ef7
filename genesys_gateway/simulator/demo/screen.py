"""What the person sees: headings, one line for each thing that travels, tables.

Law: colours only in a terminal that wants them; the text says everything without them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from typing import TextIO

_BOLD, _DIM, _RED, _GREEN, _CYAN = "1", "2", "31", "32", "36"

#: Columns of a line of what travels: who, whom, what; the result comes after them.
_WHO, _WHOM, _WHAT = 10, 8, 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """Where it is written."""

    stream: TextIO
    coloured: bool

    @classmethod
    def on(cls, stream: TextIO, environ: Mapping[str, str]) -> "Screen":
        """A screen that suits the stream and https://no-color.org."""
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # an arrow must not end the demo on an old terminal
        wanted = not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        return cls(stream=stream, coloured=wanted and stream.isatty())

    def say(self, text: str) -> None:
        """One line as it is."""
        self.stream.write(f"{text}\n")
        self.stream.flush()

    def heading(self, text: str) -> None:
        """A new part begins."""
        self.say(f"\n{self._in(_BOLD, text)}")

    def travels(self, who: str, whom: str, what: str, result: str = "", *, good: bool = True) -> None:
        """Something goes from one party to another."""
        parties = self._in(_CYAN, f"{who:>{_WHO}} → {whom:<{_WHOM}}")
        shown = self._in(_GREEN if good else _RED, result)
        self.say(f"{parties}  {what:<{_WHAT}}  {shown}".rstrip())

    def trouble(self, text: str) -> None:
        """Something is not as it should be."""
        self.say(self._in(_RED, text))

    def success(self, text: str) -> None:
        """All is as it should be."""
        self.say(self._in(_GREEN, text))

    def table(self, titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Rows under titles, each column as wide as it must be."""
        lines = [tuple(titles), *(tuple(row) for row in rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
        for number, line in enumerate(lines):
            text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            self.say("  " + (text if number else self._in(_DIM, text)))

    def _in(self, colour: str, text: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self.coloured and text else text
