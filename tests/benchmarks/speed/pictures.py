"""Pure: what grows with the number of conversations, as SVG: one panel for each row, a curve for each database."""

from collections.abc import Sequence

from tests.benchmarks.speed.figures import Measured, Results
from tests.harness.drawing import (
    COLOURS,
    PANEL,
    Across,
    Curve,
    document,
    heading,
    legend,
    linear,
    linear_scale,
    polyline,
    round_up,
)


def draw(results: Results, row: str, unit: str) -> str:
    """The picture of a row that was measured beside several numbers of conversations."""
    measured = [one for one in results.measured if one.row == row and one.conversations is not None]
    x = Across(end=max(one.conversations or 0 for one in measured))
    top = round_up(max(one.figures[unit] for one in measured))
    lines = [heading(unit), *linear_scale(top), *_numbers(x, measured)]
    for number, database in enumerate(results.databases):
        curve = [(one.conversations or 0, one.figures[unit]) for one in measured if one.database == database]
        colour = COLOURS[number]
        lines += [polyline(curve, x, linear(top), colour), *_dots(curve, x, top, colour)]
        lines.append(legend(number, f"gateway, {database}", colour))
    return document(f"{row}: number of conversations", [lines])


def _numbers(x: Across, measured: Sequence[Measured]) -> list[str]:
    """The scale below: the numbers of conversations."""
    return [
        f'<line x1="{x(at):.1f}" y1="0" x2="{x(at):.1f}" y2="{PANEL}" stroke="#e5e5e5"/>'
        f'<text x="{x(at):.1f}" y="{PANEL + 15}" font-size="11" text-anchor="middle">{at:,}</text>'
        for at in sorted({one.conversations or 0 for one in measured})
    ]


def _dots(curve: Curve, x: Across, top: float, colour: str) -> list[str]:
    y = linear(top)
    return [f'<circle cx="{x(at):.1f}" cy="{y(value):.1f}" r="3" fill="{colour}"/>' for at, value in curve]
