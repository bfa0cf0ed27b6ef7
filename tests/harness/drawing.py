"""Draws curves as SVG, one panel below the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, LEFT, RIGHT, TOP, PANEL, GAP = 1100, 80, 240, 56, 190, 56
GREY, RED = "#7f8c8d", "#c0392b"
COLOURS = ("#1b4f72", "#148f77", "#c0392b", "#d68910", "#7d3c98")
#: From values to the y coordinate.
Down = Callable[[float], float]
Curve = Sequence[tuple[float, float]]


def document(title: str, panels: Sequence[Sequence[str]]) -> str:
    """The file with these panels, each a list of elements with its upper edge at 0."""
    height = TOP + len(panels) * (PANEL + GAP)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{LEFT}" y="24" font-size="16">{escape(title)}</text>',
    ]
    for number, panel in enumerate(panels):
        lines += [f'<g transform="translate(0 {TOP + number * (PANEL + GAP)})">', *panel, "</g>"]
    return "\n".join([*lines, "</svg>", ""])


@dataclass(frozen=True, slots=True, kw_only=True)
class Across:
    """From a value, such as seconds, to the x coordinate; this one is at the right edge."""

    end: float

    def __call__(self, at: float) -> float:
        return LEFT + at / self.end * (WIDTH - LEFT - RIGHT)


def heading(text: str) -> str:
    """The heading of a panel."""
    return f'<text x="{LEFT}" y="-8" font-size="12" font-weight="bold">{escape(text)}</text>'


def linear(top: float) -> Down:
    """From values to the y coordinate, where this value is the top."""
    return lambda value: PANEL * (1 - value / top)


def linear_scale(top: float) -> list[str]:
    """The scale of such a panel."""
    form = ",.0f" if top >= 10 else "g"
    return [line for share in (0.0, 0.5, 1.0) for line in rule(PANEL * (1 - share), format(top * share, form))]


def rule(y: float, label: str) -> list[str]:
    """A horizontal line of the scale."""
    right = WIDTH - RIGHT
    return [
        f'<line x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#e5e5e5"/>'
        f'<text x="{LEFT - 8}" y="{y + 4:.1f}" font-size="11" text-anchor="end">{label}</text>'
    ]


def limit(y: float, text: str, colour: str = RED) -> list[str]:
    """A horizontal line that values should not cross."""
    right = WIDTH - RIGHT
    return [
        f'<line x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="{colour}" stroke-dasharray="8 4"/>'
        f'<text x="{LEFT + 6}" y="{y + 12:.1f}" font-size="10" fill="{colour}" stroke="white" stroke-width="3" '
        f'paint-order="stroke">{escape(text)}</text>'
    ]


def polyline(curve: Curve, x: Across, y: Down, colour: str, dashes: str = "none") -> str:
    """A curve."""
    points = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in curve)
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5" stroke-dasharray="{dashes}"/>'


def legend(number: int, text: str, colour: str, *, dashed: bool = False) -> str:
    """An entry of the legend, which stands at the lower right of its panel."""
    left, y = WIDTH - RIGHT + 12, PANEL - 84 + number * 18
    dashes = ' stroke-dasharray="2 3"' if dashed else ""
    return (
        f'<line x1="{left}" y1="{y}" x2="{left + 22}" y2="{y}" stroke="{colour}" stroke-width="4"{dashes}/>'
        f'<text x="{left + 28}" y="{y + 4}" font-size="11">{escape(text)}</text>'
    )


def round_up(value: float) -> float:
    """The next number above that has one significant digit, or a half of it."""
    step = 10.0 ** floor(log10(value)) / 2
    return ceil(value / step) * step
