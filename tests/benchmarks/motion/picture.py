"""The picture of a load as SVG: conversations, calls, delays and topics given back, one panel below the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

from tests.benchmarks.motion.curves import STEP_SECONDS, Curve, Curves
from tests.benchmarks.motion.loads import Load
from tests.harness.drawing import (
    COLOURS,
    GREY,
    PANEL,
    RED,
    Across,
    document,
    heading,
    legend,
    limit,
    linear,
    linear_scale,
    polyline,
    round_up,
    rule,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A time at which something was done to the gateway's surroundings."""

    #: seconds since the begin of the time under load
    at: float
    text: str


def draw(curves: Curves, load: Load, title: str, marks: Sequence[Mark] = ()) -> str:
    """Return the SVG file; its second 0 is the begin of the time under load."""
    end = max(at for at, _ in curves.numbers["going on"])
    x = Across(end=end)
    panels = [
        _conversations(curves, x, load),
        _calls(curves.calls, x, load),
        _delays(curves, x, load),
        _given_back(curves, x, load),
    ]
    return document(
        title,
        [
            [*_minutes(x, load, named=first), *panel, *_marks(x, marks, named=first)]
            for first, panel in zip((True, False, False, False), panels, strict=True)
        ],
    )


def _conversations(curves: Curves, x: Across, load: Load) -> list[str]:
    most = max([1.0, *(value for curve in curves.numbers.values() for _, value in curve)])
    top = round_up(most)
    lines = [heading("conversations"), *linear_scale(top)]
    y = linear(top)
    for number, (name, curve) in enumerate(curves.numbers.items()):
        lines += [polyline(curve, x, y, COLOURS[number]), legend(number, name, COLOURS[number])]
    if load.capacity <= top:
        lines += limit(y(load.capacity), f"capacity {load.capacity:,}")
    return lines


def _calls(calls: Mapping[str, Curve], x: Across, load: Load) -> list[str]:
    sums = [sum(values) for values in zip(*([value for _, value in curve] for curve in calls.values()), strict=True)]
    top = round_up(max([float(load.calls), *sums]))
    y = linear(top)
    lines = [heading(f"calls a minute, in steps of {STEP_SECONDS} s"), *linear_scale(top)]
    below = [0.0] * len(sums)
    for number, (name, curve) in enumerate(calls.items()):
        lines.append(legend(number, name, COLOURS[number]))
        for step, (at, value) in enumerate(curve):
            if value:
                left, upper = x(at), y(below[step] + value)
                width, height = x(at + STEP_SECONDS) - left - 0.3, y(below[step]) - upper
                lines.append(
                    f'<rect x="{left:.1f}" y="{upper:.1f}" width="{width:.1f}" height="{height:.1f}" '
                    f'fill="{COLOURS[number]}"/>'
                )
                below[step] += value
    return [*lines, *limit(y(load.calls), f"limit {load.calls} in any 60 s")]


def _delays(curves: Curves, x: Across, load: Load) -> list[str]:
    pairs = (("covered", curves.coverage, COLOURS[0]), ("recorded", curves.records, COLOURS[1]))
    values = [value for _, pair, _ in pairs for curve in (pair.median, pair.p99) for _, value in curve]
    promised = (load.promise.coverage_p99, load.promise.record_p99)
    low = floor(log10(max(0.001, min([*values, *promised, 0.01]))))
    high = ceil(log10(max([*values, *promised, 10])))

    def y(value: float) -> float:
        share = (log10(max(value, 10.0**low)) - low) / (high - low)
        return PANEL * (1 - share)

    lines = [heading(f"seconds until covered and until recorded (log scale), in steps of {STEP_SECONDS} s")]
    for power in range(low, high + 1):
        lines += rule(y(10.0**power), f"{10.0**power:g} s")
    for number, (name, pair, colour) in enumerate(pairs):
        lines += [
            polyline(pair.median, x, y, colour, "2 3"),
            polyline(pair.p99, x, y, colour),
            *limit(y(promised[number]), f"{name}: p99 promised {promised[number]:g} s", colour),
            legend(2 * number, f"{name}, p99", colour),
            legend(2 * number + 1, f"{name}, median", colour, dashed=True),
        ]
    return lines


def _given_back(curves: Curves, x: Across, load: Load) -> list[str]:
    promised, pair = load.promise.given_back_p99, curves.given_back
    top = round_up(max([60.0, promised or 0.0, *(value for _, value in pair.p99)]))
    y = linear(top)
    return [
        heading("seconds from the end until the topic is given back (or until the end of the picture)"),
        *linear_scale(top),
        polyline(pair.median, x, y, COLOURS[4], "2 3"),
        polyline(pair.p99, x, y, COLOURS[4]),
        legend(0, "given back, p99", COLOURS[4]),
        legend(1, "given back, median", COLOURS[4], dashed=True),
        *(limit(y(promised), f"p99 promised {promised:g} s") if promised is not None else ()),
    ]


def _minutes(x: Across, load: Load, *, named: bool) -> list[str]:
    """The scale of time; what comes after the load is shaded."""
    step = next(step for step in (10, 30, 60, 120, 300, 600, 3600) if x.end / step <= 16 or step == 3600)
    shaded = x(min(x.end, load.minutes * 60))
    lines = [
        f'<rect x="{shaded:.1f}" y="0" width="{x(x.end) - shaded:.1f}" height="{PANEL}" fill="#f4f4f4"/>',
    ]
    if named and shaded < x(x.end):
        text = f'<text x="{shaded + 4:.1f}" y="{PANEL - 6}" font-size="10" fill="{GREY}">no new ones</text>'
        lines.append(text)
    for at in range(0, int(x.end) + 1, step):
        label = f"{at // 60} min" if step >= 60 else f"{at} s"
        lines.append(
            f'<line x1="{x(at):.1f}" y1="0" x2="{x(at):.1f}" y2="{PANEL}" stroke="#e5e5e5"/>'
            f'<text x="{x(at):.1f}" y="{PANEL + 15}" font-size="11" text-anchor="middle">{label}</text>'
        )
    return lines


def _marks(x: Across, marks: Sequence[Mark], *, named: bool) -> list[str]:
    lines = []
    for number, mark in enumerate(marks):
        left = x(mark.at)
        lines.append(
            f'<line x1="{left:.1f}" y1="0" x2="{left:.1f}" y2="{PANEL}" stroke="{RED}" stroke-dasharray="4 3"/>'
        )
        if named:
            lines.append(
                f'<text x="{left + 3:.1f}" y="{PANEL - 46 + 12 * (number % 4)}" font-size="10" fill="{RED}">'
                f"{escape(mark.text)}</text>"
            )
    return lines
