"""A picture of a run as SVG: the backlog over time, and below it the faults of each party."""

from collections.abc import Callable, Sequence
from html import escape

from tests.chaos.script import Planned
from tests.chaos.watch import Sample

_WIDTH, _CURVE, _ROW, _LEFT, _TOP = 1100, 260, 26, 90, 40
#: From seconds to the x coordinate.
_Across = Callable[[float], float]

_COLOURS = ("#c0392b", "#d68910", "#7d3c98", "#2471a3", "#148f77", "#7f8c8d")


def draw(samples: Sequence[Sample], plan: Sequence[Planned], title: str) -> str:
    """Return the SVG file."""
    end = max([1.0, *(one.at for one in samples), *(one.end for one in plan)])
    most = max([1, *(one.backlog for one in samples)])
    parties = list(dict.fromkeys(one.party for one in plan))
    height = _TOP + _CURVE + len(parties) * _ROW + 50

    def x(at: float) -> float:
        return _LEFT + at / end * (_WIDTH - _LEFT - 20)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" font-family="sans-serif">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-size="15">{escape(title)}</text>',
        *_scale(x, end, most, height),
        *_curve(samples, x, most),
    ]
    for row, party in enumerate(parties):
        lines += _row(party, row, [one for one in plan if one.party == party], x)
    return "\n".join([*lines, "</svg>", ""])


def _scale(x: _Across, end: float, most: int, height: int) -> list[str]:
    step = next(step for step in (10, 30, 60, 120, 300, 600, 3600) if end / step <= 12 or step == 3600)
    lines = [
        f'<line x1="{x(at):.1f}" y1="{_TOP}" x2="{x(at):.1f}" y2="{height - 30}" stroke="#e5e5e5"/>'
        f'<text x="{x(at):.1f}" y="{height - 12}" font-size="11" text-anchor="middle">{at} s</text>'
        for at in range(0, int(end) + 1, step)
    ]
    for share in (0.0, 0.5, 1.0):
        y = _TOP + _CURVE * (1 - share)
        lines.append(
            f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - 20}" y2="{y:.1f}" stroke="#e5e5e5"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" font-size="11" text-anchor="end">{round(most * share)}</text>'
        )
    return lines


def _curve(samples: Sequence[Sample], x: _Across, most: int) -> list[str]:
    points = " ".join(f"{x(one.at):.1f},{_TOP + _CURVE * (1 - one.backlog / most):.1f}" for one in samples)
    return [
        f'<polyline points="{points}" fill="none" stroke="#1b4f72" stroke-width="1.6"/>',
        f'<text x="{_LEFT + 6}" y="{_TOP + 14}" font-size="11" fill="#1b4f72">done and not recorded yet</text>',
    ]


def _row(party: str, row: int, plan: Sequence[Planned], x: _Across) -> list[str]:
    top = _TOP + _CURVE + 14 + row * _ROW
    lines = [f'<text x="{_LEFT - 8}" y="{top + 14}" font-size="11" text-anchor="end">{escape(party)}</text>']
    for one in plan:
        width = max(3.0, x(one.end) - x(one.begin))
        colour = _COLOURS[row % len(_COLOURS)]
        lines.append(
            f'<rect x="{x(one.begin):.1f}" y="{top}" width="{width:.1f}" height="{_ROW - 8}" fill="{colour}">'
            f"<title>{escape(one.fault.name)}, {one.end - one.begin:.1f} s</title></rect>"
        )
    return lines
