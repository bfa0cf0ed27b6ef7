"""Pure: what was measured, and its table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

#: The units of all figures, in the order of their columns. `each` means: for each registration or event.
COLUMNS = (
    "per second",
    "seconds",
    "calls",
    "MB",
    "p50 ms",
    "p99 ms",
    "hub lag ms",
    "CPU ms each",
    "simulator CPU ms each",
)
#: What a ratio compares: the first of these that both sides have.
_COSTS = ("CPU ms each", "seconds", "MB", "p99 ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The figures of one process in one row."""

    row: str
    #: the gateway's database; None: a rival
    database: str | None = None
    #: the rival's name; empty: the gateway
    rival: str = ""
    #: number of conversations followed at that time, where that is what the row is about
    conversations: int | None = None
    #: by the names of COLUMNS
    figures: Mapping[str, float]
    note: str = ""

    @property
    def who(self) -> str:
        """Whose figures these are, for people."""
        return self.rival or f"gateway, {self.database}"


@dataclass(slots=True)
class Results:
    """All that was measured in a run, in the order in which it was."""

    measured: list[Measured] = field(default_factory=list)

    def of(self, row: str, who: str, conversations: int | None = None) -> Mapping[str, float]:
        """The figures of a row; empty if it was not measured.

        Args:
            who: A database, or the beginning of a rival's name.
        """
        for one in self.measured:
            named = one.database == who or (one.rival and one.rival.startswith(who))
            if named and (one.row, one.conversations) == (row, conversations):
                return one.figures
        return {}

    @property
    def databases(self) -> list[str]:
        """The databases that the gateway was measured with."""
        return list(dict.fromkeys(one.database for one in self.measured if one.database))


def ratio(ours: Mapping[str, float], theirs: Mapping[str, float]) -> float | None:
    """What the rival takes, divided by what the gateway takes: above 1 the gateway is cheaper."""
    for cost in _COSTS:
        if cost in theirs and ours.get(cost):
            return theirs[cost] / ours[cost]
    return None


def table(results: Results) -> str:
    """The table of a run, in Markdown."""
    used = [column for column in COLUMNS if any(column in one.figures for one in results.measured)]
    head = ["row", "who", *used, *(f"ratio to {database}" for database in results.databases), ""]
    lines, last = [head], ""
    for one in sorted(results.measured, key=_Place(list(dict.fromkeys(map(_title, results.measured))))):
        title = _title(one)
        cells = [_number(one.figures.get(column)) for column in used]
        ratios = [_number(_ratio(results, one, database)) for database in results.databases]
        lines.append(["" if title == last else title, one.who, *cells, *ratios, one.note])
        last = title
    return aligned(lines)


def _title(one: Measured) -> str:
    return one.row if one.conversations is None else f"{one.row}, {one.conversations:,} conversations"


@dataclass(frozen=True, slots=True)
class _Place:
    """Rows stay in the order in which they were first measured; within one the gateway comes first."""

    titles: list[str]

    def __call__(self, one: Measured) -> tuple[int, bool]:
        return self.titles.index(_title(one)), one.database is None


def _ratio(results: Results, one: Measured, database: str) -> float | None:
    if one.database is not None:
        return None
    return ratio(results.of(one.row, database, one.conversations), one.figures)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def aligned(lines: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, whose first line is its head."""
    rows = list(lines)
    widths = [max(3, *(len(row[place]) for row in rows)) for place in range(len(rows[0]))]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows) + "\n"
