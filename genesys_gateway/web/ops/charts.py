"""Computes charts of the last hour, which a template draws as SVG; and bars.

Invariant: pure, and needs neither JavaScript nor a library: what the server drew is seen by every browser, printed, and
read aloud. Sizes are attributes in percent, because the page's headers forbid styles inside the page.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

#: Size of the drawing inside a chart; it is stretched to the size of its place.
WIDTH, HEIGHT = 1000, 100
#: Seconds from the left edge of a chart to its right edge: as few as its oldest moment needs.
_SPANS = (300.0, 600.0, 1200.0, 1800.0, 3600.0)
#: Maximum number of points of a line: more could not be told apart.
_POINTS = 120
#: Maximum number of rows, after the first, of the table that belongs to a chart.
_ROWS = 12
#: The scale of a chart ends at one of these times a power of ten: half of it is written without a fraction, too.
_ROUND = (1.0, 2.0, 4.0, 6.0, 8.0, 10.0)

#: Values at which a chart of durations may have a grid line, in seconds.
_DURATIONS = (0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36_000.0, 360_000.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The values of one line, one for each moment of its chart; None where there is none."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line as it is drawn."""

    name: str
    #: the path of the line, and that of the area under it; empty without a value
    path: str
    area: str
    #: its latest value in words
    latest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One line of the grid."""

    #: its place from the top, in percent
    y: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One moment in the table."""

    at: int
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart, with everything that the template writes."""

    key: str
    title: str
    unit: str
    lines: tuple[Line, ...]
    ticks: tuple[Tick, ...]
    #: how far back it goes: ``hour``, ``5 minutes``
    period: str
    #: the times at the left edge, in the middle, and at the right edge
    times: tuple[str, str, str]
    rows: tuple[Row, ...]
    #: says what the chart shows, for those who don't see it
    description: str


class Scale:
    """Where a value lies between the bottom (0) and the top (1) of a chart that begins at zero.

    Args:
        top: The value at the top, if the most that there can be is known.
    """

    def __init__(self, most: float, *, least_top: float = 4.0, top: float | None = None) -> None:
        self._top = top or round_up(max(most, least_top))

    def place(self, value: float) -> float:
        """The height of a value, between 0 and 1."""
        return min(1.0, max(0.0, value / self._top))

    def ticks(self) -> tuple[float, ...]:
        """The values with a grid line."""
        return (0.0, self._top / 2, self._top)


class DurationScale:
    """Where a duration lies: each tenfold is as high as the next one, because some are milliseconds and some hours."""

    def __init__(self, least: float, most: float) -> None:
        low = max((one for one in _DURATIONS if one <= least), default=_DURATIONS[0])
        high = min((one for one in _DURATIONS if one >= most), default=_DURATIONS[-1])
        self._marks = tuple(one for one in _DURATIONS if low <= one <= max(high, low * 10))
        self._low, self._high = math.log(self._marks[0]), math.log(self._marks[-1])

    def place(self, value: float) -> float:
        """The height of a duration in seconds, between 0 and 1."""
        share = (math.log(max(value, 1e-3)) - self._low) / (self._high - self._low)
        return min(1.0, max(0.0, share))

    def ticks(self) -> tuple[float, ...]:
        """The durations with a grid line: at most four."""
        step = math.ceil((len(self._marks) - 1) / 3)
        return self._marks[::step]


def chart(
    key: str,
    title: str,
    unit: str,
    *,
    moments: Sequence[tuple[int, float]],
    series: Sequence[Series],
    words: Callable[[float], str],
    durations: bool = False,
    top: float | None = None,
) -> Chart:
    """Compute a chart.

    Args:
        moments: For each point its time (epoch milliseconds) and its age in seconds, the oldest first.
        words: Writes a value.
        durations: Whether the values are durations in seconds, on a scale of their own.
        top: The most that a value can be, if that is known.
    """
    scale = _scale(series, durations=durations, top=top)
    oldest = max((age for _, age in moments), default=0.0)
    span = next((one for one in _SPANS if one >= oldest), _SPANS[-1])
    period = "hour" if span == _SPANS[-1] else f"{span / 60:.0f} minutes"
    kept = _each(moments, span / _POINTS)
    lines = tuple(_line(one, [(n, WIDTH * (1 - moments[n][1] / span)) for n in kept], scale, words) for one in series)
    return Chart(
        key=key,
        title=title,
        unit=unit,
        lines=lines,
        ticks=tuple(Tick(y=f"{100 * (1 - scale.place(one)):.1f}%", label=words(one)) for one in scale.ticks()),
        period=period,
        times=(f"{span / 60:.0f} min ago", f"{span / 120:g} min", "now"),
        rows=tuple(
            Row(at=moments[index][0], values=tuple(_in_words(one.values[index], words) for one in series))
            for index in reversed(_each(moments, span / _ROWS))
        ),
        description=_description(series, lines, unit, words, period),
    )


def _scale(series: Sequence[Series], *, durations: bool, top: float | None) -> Scale | DurationScale:
    known = [value for one in series for value in one.values if value is not None]
    if durations:
        return DurationScale(min(known, default=0.1), max(known, default=1.0))
    return Scale(max(known, default=0.0), top=top)


def round_up(value: float) -> float:
    """The next number above that reads well on a scale: 1, 2, 4, 6 or 8 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in _ROUND if step * power >= value * (1 - 1e-9))


def percent(part: float, whole: float) -> str:
    """The width of a bar: how much of the whole the part is, at most all of it."""
    return f"{100 * min(1.0, part / whole) if whole > 0 else 0.0:.1f}%"


def _each(moments: Sequence[tuple[int, float]], seconds: float) -> list[int]:
    """Indexes of the moments that many seconds apart, counted back from the last one; the oldest first."""
    kept: list[int] = []
    due = -1.0
    for index in range(len(moments) - 1, -1, -1):
        if moments[index][1] >= due:
            kept.append(index)
            due = moments[index][1] + seconds - 1.0
    return kept[::-1]


def _line(
    series: Series,
    places: Sequence[tuple[int, float]],
    scale: Scale | DurationScale,
    words: Callable[[float], str],
) -> Line:
    """The line through the values at these indexes, each at its distance from the left edge."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for index, x in places:
        value = series.values[index]
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append((x, HEIGHT * (1 - scale.place(value))))
    drawn = [piece for piece in pieces if piece]
    latest = series.values[-1] if series.values else None
    return Line(
        name=series.name,
        path=" ".join(map(_path, drawn)),
        area=" ".join(f"{_path(piece)} V{HEIGHT} H{piece[0][0]:.1f} Z" for piece in drawn),
        latest=_in_words(latest, words),
    )


def _path(points: Sequence[tuple[float, float]]) -> str:
    # A single point is drawn as a short line: a path without a length is not seen.
    if len(points) == 1:
        points = [(points[0][0] - 4, points[0][1]), points[0]]
    return "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _in_words(value: float | None, words: Callable[[float], str]) -> str:
    return "—" if value is None else words(value)


def _description(
    series: Sequence[Series], lines: Sequence[Line], unit: str, words: Callable[[float], str], period: str
) -> str:
    sentences = []
    for one, line in zip(series, lines, strict=True):
        known = [value for value in one.values if value is not None]
        if known:
            extent = f"between {words(min(known))} and {words(max(known))} in the last {period}"
            sentences.append(f"{one.name}: now {line.latest}, {extent}.")
        else:
            sentences.append(f"{one.name}: nothing in the last {period}.")
    return " ".join([*sentences, f"Unit: {unit}."])
