"""Rows of hosts: names at the left, bars in rows, and the hatch that says "no data".

Bars are drawn by one collection, not host by host, so that thousands of hosts stay a matter of
seconds. What the bars mean is for the charts to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.patches import Patch

from kitlib.charts import _canvas as c
from kitlib.charts import _words as w

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes

LABELLED: Final = 60
"""Up to this many rows carry their host's name."""

BAR: Final = 0.34
"""Half the height of a bar in a host's row; rows too thin for names are filled."""


def half_height(rows: int) -> float:
    return BAR if rows <= LABELLED else 0.5


def boxes(
    left: np.ndarray[Any, Any], right: np.ndarray[Any, Any], y: np.ndarray[Any, Any], half: float
) -> np.ndarray[Any, Any]:
    """Return rectangles as an array (n, 4, 2) for one PolyCollection."""
    xs = np.stack([left, right, right, left], axis=1)
    ys = np.stack([y - half, y - half, y + half, y + half], axis=1)
    return np.stack([xs, ys], axis=2)


def draw_blind(
    ax: Axes,
    seen: pd.DataFrame,
    order: Sequence[str],
    span: tuple[float, float],
    *,
    half: float = 0.5,
) -> None:
    """Hatch each host's row outside its coverage."""
    low, high = span
    holes: list[tuple[float, float, int]] = []
    spans = dict(list(seen.groupby("host")))
    for y, host in enumerate(order):
        at = low
        if host in spans:
            part = spans[host].sort_values("start")
            for start, end in zip(c.numbers(part["start"]), c.numbers(part["end"]), strict=True):
                if start > at:
                    holes.append((at, min(start, high), y))
                at = max(at, end)
        if at < high:
            holes.append((at, high, y))
    if holes:
        left, right, rows = (np.array(v, dtype=np.float64) for v in zip(*holes, strict=True))
        ax.add_collection(
            PolyCollection(
                list(boxes(left, right, rows, half)),
                facecolor="#f4f4f4",
                edgecolor=c.NO_DATA.colour,
                hatch="////",
                linewidth=0,
                zorder=0.5,
            )
        )


def label_room(order: Sequence[str]) -> float:
    if len(order) > LABELLED:
        return 1.0
    longest = max((len(w.plain(host)) for host in order), default=0)
    return max(1.0, 0.45 + longest * _label_size(len(order)) * 0.62 / 72)


def _label_size(count: int) -> float:
    return float(np.clip(270 / max(count, 1), 5.5, c.TEXT_SIZE))


def host_axis(ax: Axes, order: Sequence[str]) -> None:
    ax.set_ylim(len(order) - 0.4, -0.6)
    if len(order) <= LABELLED:
        ax.set_yticks(
            range(len(order)),
            [w.plain(host) for host in order],
            fontsize=_label_size(len(order)),
        )
        ax.tick_params(axis="y", length=0)
        ax.hlines(
            np.arange(len(order)) + 0.5,
            0,
            1,
            color=c.RULE,
            linewidth=0.6,
            zorder=0.2,
            transform=ax.get_yaxis_transform(),
        )
    else:
        ax.set_yticks([])
        ax.set_ylabel(f"{len(order):,} hosts, one row each")
    ax.spines["left"].set_visible(False)


def no_data_patch() -> Patch:
    """Return the legend's word for where the logs are blind."""
    return Patch(
        facecolor="#f4f4f4",
        edgecolor=c.NO_DATA.colour,
        hatch="////",
        linewidth=0,
        label=c.NO_DATA.word,
    )
