"""The picture of a load as SVG: conversations, calls, delays and topics given back, one panel below the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

from tests.benchmarks.motion.curves import STEP_SECONDS, Curve, Curves
from tests.benchmarks.motion.loads import Load

_WIDTH, _LEFT, _RIGHT, _TOP, _PANEL, _GAP = 1100, 80, 240, 56, 190, 56
_GREY, _RED = "#7f8c8d", "#c0392b"
_COLOURS = ("#1b4f72", "#148f77", "#c0392b", "#d68910", "#7d3c98")
#: From values to the y coordinate.
_Down = Callable[[float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A time at which something was done to the gateway's surroundings."""

    #: seconds since the begin of the time under load
    at: float
    text: str


def draw(curves: Curves, load: Load, title: str, marks: Sequence[Mark] = ()) -> str:
    """Return the SVG file; its second 0 is the begin of the time under load."""
    end = max(at for at, _ in curves.numbers["going on"])
    x = _Across(end=end)
    panels = [
        _conversations(curves, x, load),
        _calls(curves.calls, x, load),
        _delays(curves, x, load),
        _given_back(curves, x, load),
    ]
    height = _TOP + len(panels) * (_PANEL + _GAP)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_LEFT}" y="24" font-size="16">{escape(title)}</text>',
    ]
    for number, panel in enumerate(panels):
        top = _TOP + number * (_PANEL + _GAP)
        lines += [
            f'<g transform="translate(0 {top})">',
            *_minutes(x, load, named=number == 0),
            *panel,
            *_marks(x, marks, named=number == 0),
            "</g>",
        ]
    return "\n".join([*lines, "</svg>", ""])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Across:
    """From seconds to the x coordinate."""

    end: float

    def __call__(self, at: float) -> float:
        return _LEFT + at / self.end * (_WIDTH - _LEFT - _RIGHT)


def _conversations(curves: Curves, x: _Across, load: Load) -> list[str]:
    most = max([1.0, *(value for curve in curves.numbers.values() for _, value in curve)])
    top = _round_up(most)
    lines = [_heading("conversations"), *_linear_scale(top)]
    y = _linear(top)
    for number, (name, curve) in enumerate(curves.numbers.items()):
        lines += [_line(curve, x, y, _COLOURS[number]), _name(number, name, _COLOURS[number])]
    if load.capacity <= top:
        lines += _limit(y(load.capacity), f"capacity {load.capacity:,}")
    return lines


def _calls(calls: Mapping[str, Curve], x: _Across, load: Load) -> list[str]:
    sums = [sum(values) for values in zip(*([value for _, value in curve] for curve in calls.values()), strict=True)]
    top = _round_up(max([float(load.calls), *sums]))
    y = _linear(top)
    lines = [_heading(f"calls a minute, in steps of {STEP_SECONDS} s"), *_linear_scale(top)]
    below = [0.0] * len(sums)
    for number, (name, curve) in enumerate(calls.items()):
        lines.append(_name(number, name, _COLOURS[number]))
        for step, (at, value) in enumerate(curve):
            if value:
                left, upper = x(at), y(below[step] + value)
                width, height = x(at + STEP_SECONDS) - left - 0.3, y(below[step]) - upper
                lines.append(
                    f'<rect x="{left:.1f}" y="{upper:.1f}" width="{width:.1f}" height="{height:.1f}" '
                    f'fill="{_COLOURS[number]}"/>'
                )
                below[step] += value
    return [*lines, *_limit(y(load.calls), f"limit {load.calls} in any 60 s")]


def _delays(curves: Curves, x: _Across, load: Load) -> list[str]:
    pairs = (("covered", curves.coverage, _COLOURS[0]), ("recorded", curves.records, _COLOURS[1]))
    values = [value for _, pair, _ in pairs for curve in (pair.median, pair.p99) for _, value in curve]
    promised = (load.promise.coverage_p99, load.promise.record_p99)
    low = floor(log10(max(0.001, min([*values, *promised, 0.01]))))
    high = ceil(log10(max([*values, *promised, 10])))

    def y(value: float) -> float:
        share = (log10(max(value, 10.0**low)) - low) / (high - low)
        return _PANEL * (1 - share)

    lines = [_heading(f"seconds until covered and until recorded (log scale), in steps of {STEP_SECONDS} s")]
    for power in range(low, high + 1):
        lines += _rule(y(10.0**power), f"{10.0**power:g} s")
    for number, (name, pair, colour) in enumerate(pairs):
        lines += [
            _line(pair.median, x, y, colour, "2 3"),
            _line(pair.p99, x, y, colour),
            *_limit(y(promised[number]), f"{name}: p99 promised {promised[number]:g} s", colour),
            _name(2 * number, f"{name}, p99", colour),
            _name(2 * number + 1, f"{name}, median", colour, dashed=True),
        ]
    return lines


def _given_back(curves: Curves, x: _Across, load: Load) -> list[str]:
    promised, pair = load.promise.given_back_p99, curves.given_back
    top = _round_up(max([60.0, promised or 0.0, *(value for _, value in pair.p99)]))
    y = _linear(top)
    return [
        _heading("seconds from the end until the topic is given back (or until the end of the picture)"),
        *_linear_scale(top),
        _line(pair.median, x, y, _COLOURS[4], "2 3"),
        _line(pair.p99, x, y, _COLOURS[4]),
        _name(0, "given back, p99", _COLOURS[4]),
        _name(1, "given back, median", _COLOURS[4], dashed=True),
        *(_limit(y(promised), f"p99 promised {promised:g} s") if promised is not None else ()),
    ]


def _heading(text: str) -> str:
    return f'<text x="{_LEFT}" y="-8" font-size="12" font-weight="bold">{escape(text)}</text>'


def _minutes(x: _Across, load: Load, *, named: bool) -> list[str]:
    """The scale of time; what comes after the load is shaded."""
    step = next(step for step in (10, 30, 60, 120, 300, 600, 3600) if x.end / step <= 16 or step == 3600)
    shaded = x(min(x.end, load.minutes * 60))
    lines = [
        f'<rect x="{shaded:.1f}" y="0" width="{x(x.end) - shaded:.1f}" height="{_PANEL}" fill="#f4f4f4"/>',
    ]
    if named and shaded < x(x.end):
        text = f'<text x="{shaded + 4:.1f}" y="{_PANEL - 6}" font-size="10" fill="{_GREY}">no new ones</text>'
        lines.append(text)
    for at in range(0, int(x.end) + 1, step):
        label = f"{at // 60} min" if step >= 60 else f"{at} s"
        lines.append(
            f'<line x1="{x(at):.1f}" y1="0" x2="{x(at):.1f}" y2="{_PANEL}" stroke="#e5e5e5"/>'
            f'<text x="{x(at):.1f}" y="{_PANEL + 15}" font-size="11" text-anchor="middle">{label}</text>'
        )
    return lines


def _marks(x: _Across, marks: Sequence[Mark], *, named: bool) -> list[str]:
    lines = []
    for number, mark in enumerate(marks):
        left = x(mark.at)
        lines.append(
            f'<line x1="{left:.1f}" y1="0" x2="{left:.1f}" y2="{_PANEL}" stroke="{_RED}" stroke-dasharray="4 3"/>'
        )
        if named:
            lines.append(
                f'<text x="{left + 3:.1f}" y="{_PANEL - 46 + 12 * (number % 4)}" font-size="10" fill="{_RED}">'
                f"{escape(mark.text)}</text>"
            )
    return lines


def _linear(top: float) -> _Down:
    return lambda value: _PANEL * (1 - value / top)


def _linear_scale(top: float) -> list[str]:
    return [line for share in (0.0, 0.5, 1.0) for line in _rule(_PANEL * (1 - share), f"{top * share:,.0f}")]


def _rule(y: float, label: str) -> list[str]:
    right = _WIDTH - _RIGHT
    return [
        f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#e5e5e5"/>'
        f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" font-size="11" text-anchor="end">{label}</text>'
    ]


def _limit(y: float, text: str, colour: str = _RED) -> list[str]:
    right = _WIDTH - _RIGHT
    return [
        f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="{colour}" stroke-dasharray="8 4"/>'
        f'<text x="{_LEFT + 6}" y="{y + 12:.1f}" font-size="10" fill="{colour}" stroke="white" stroke-width="3" '
        f'paint-order="stroke">{escape(text)}</text>'
    ]


def _line(curve: Curve, x: _Across, y: _Down, colour: str, dashes: str = "none") -> str:
    points = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in curve)
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5" stroke-dasharray="{dashes}"/>'


def _name(number: int, text: str, colour: str, *, dashed: bool = False) -> str:
    """An entry of the legend, which stands at the lower right of its panel."""
    left, y = _WIDTH - _RIGHT + 12, _PANEL - 84 + number * 18
    dashes = ' stroke-dasharray="2 3"' if dashed else ""
    return (
        f'<line x1="{left}" y1="{y}" x2="{left + 22}" y2="{y}" stroke="{colour}" stroke-width="4"{dashes}/>'
        f'<text x="{left + 28}" y="{y + 4}" font-size="11">{escape(text)}</text>'
    )


def _round_up(value: float) -> float:
    """The next number above that has one significant digit, or a half of it."""
    step = 10.0 ** floor(log10(value)) / 2
    return ceil(value / step) * step
