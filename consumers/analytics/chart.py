"""A series as an SVG picture, for people who would rather look than read. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from xml.sax.saxutils import escape

_WIDTH: Final = 720
_HEIGHT: Final = 240
_LEFT: Final = 48
_BOTTOM: Final = 28
_TOP: Final = 28


def bars(title: str, series: Sequence[dict[str, Any]], name: str) -> str:
    """A bar per point of `series[name]`, with the largest value and the first and last time written out."""
    values = [int(point[name]) for point in series]
    top = max([*values, 1])
    step = (_WIDTH - _LEFT - 8) / max(len(values), 1)
    drawn = "".join(
        _bar(index, value, top, step, series[index]["time"]) for index, value in enumerate(values)
    )
    first, last = (series[0]["time"][:10], series[-1]["time"][:10]) if series else ("", "")
    floor = _HEIGHT - _BOTTOM
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="12"><title>{escape(title)}</title>'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>'
        f'<text x="{_LEFT}" y="18" font-weight="bold">{escape(title)}</text>'
        f'<text x="{_LEFT - 6}" y="{_TOP + 10}" text-anchor="end">{top}</text>'
        f'<text x="{_LEFT - 6}" y="{floor}" text-anchor="end">0</text>'
        f'<line x1="{_LEFT}" y1="{floor}" x2="{_WIDTH - 8}" y2="{floor}" stroke="#999"/>{drawn}'
        f'<text x="{_LEFT}" y="{_HEIGHT - 8}">{first}</text>'
        f'<text x="{_WIDTH - 8}" y="{_HEIGHT - 8}" text-anchor="end">{last}</text></svg>'
    )


_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_CELL: Final = 27


def heat_map(title: str, heat: Sequence[Sequence[int]]) -> str:
    """A square per hour of each weekday, the darker the more happened; every square tells its number."""
    top = max([*(count for hours in heat for count in hours), 1])
    cells = "".join(
        _cell(day, hour, count, top) for day, hours in enumerate(heat) for hour, count in enumerate(hours)
    )
    days = "".join(
        f'<text x="{_LEFT - 6}" y="{_TOP + day * _CELL + 18}" text-anchor="end">{name}</text>'
        for day, name in enumerate(_DAYS)
    )
    hours = "".join(
        f'<text x="{_LEFT + hour * _CELL + _CELL // 2}" y="{_TOP + 7 * _CELL + 16}" text-anchor="middle">{hour}</text>'
        for hour in range(0, 24, 3)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="12"><title>{escape(title)}</title>'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>'
        f'<text x="{_LEFT}" y="18" font-weight="bold">{escape(title)}</text>{cells}{days}{hours}</svg>'
    )


def _cell(day: int, hour: int, count: int, top: int) -> str:
    x, y = _LEFT + hour * _CELL, _TOP + day * _CELL
    shade = round(count / top, 2)
    return (
        f'<rect x="{x}" y="{y}" width="{_CELL - 2}" height="{_CELL - 2}" fill="#2563eb" fill-opacity="{shade}" '
        f'stroke="#ddd"><title>{_DAYS[day]} {hour}:00: {count}</title></rect>'
    )


def _bar(index: int, value: int, top: int, step: float, time: str) -> str:
    height = round((_HEIGHT - _BOTTOM - _TOP) * value / top, 1)
    x, y = round(_LEFT + index * step, 1), round(_HEIGHT - _BOTTOM - height, 1)
    width = round(max(step - 1, 0.5), 1)
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="#2563eb">'
        f"<title>{escape(time)}: {value}</title></rect>"
    )
