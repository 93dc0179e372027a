"""What the logs could have shown: per host and log the time covered, and why it ends.

A host without a log is hatched "no data", never drawn as if nothing had happened on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from kitlib.charts import _canvas as c
from kitlib.charts import _rows as r
from kitlib.charts import _words as w

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pandas as pd
    from matplotlib.axes import Axes


@c.styled
def coverage_chart(
    coverage: pd.DataFrame, *, channels: Collection[str] = (), ax: Axes | None = None
) -> Axes:
    """Draw per host and log the time in which an event would have been seen, and why it ends.

    Parameters
    ----------
    coverage
        Table of `kitlib.schema`.
    channels
        Logs to show; if empty, the three found on most hosts, in a large fleet one (the caption
        says what is left out).
    """
    known = coverage.loc[coverage["start"].notna() & coverage["end"].notna()]
    if known.empty:
        return c.nothing(ax, "No log in this evidence states what time it covers.")
    order = sorted(set(coverage["host"]) - {""})
    shown = list(channels) or _common(known, 3 if len(order) <= r.LABELLED else 1)
    kept = known.loc[known["channel"].isin(shown)]
    row = {host: i for i, host in enumerate(order)}
    ax = c.canvas(ax, left=r.label_room(order), bottom=1.75)
    low, high = float(c.numbers(kept["start"]).min()), float(c.numbers(kept["end"]).max())
    r.draw_blind(ax, kept.iloc[:0], order, (low, high), half=0.38)
    _draw_coverage(ax, kept, row, shown)
    r.host_axis(ax, order)
    c.time_axis(ax, low, high)
    left_out = known["channel"].nunique() - len(set(shown))
    return c.finish(
        ax,
        title=_coverage_words(kept, order, shown),
        caption=f"{w.many(len(order), 'host')}; a bar is the time in which an event of that log "
        "would have been seen. Hatched: no log, which is not the same as no event."
        + (f" {w.many(left_out, 'further log')} not drawn." if left_out else ""),
    )


BLUES: Final = ("#0072B2", "#56B4E9", "#999999")
CUTS: Final = {"rolled over": "<", "cleared": "X", "gap": "D", "damaged": "P"}
"""Why a span starts or ends early, by mark; 'log created' and 'export' are no loss."""


def _common(coverage: pd.DataFrame, count: int) -> list[str]:
    hosts = coverage.groupby("channel")["host"].nunique().sort_index()
    return list(hosts.sort_values(ascending=False, kind="stable").index[:count])


def _draw_coverage(
    ax: Axes, kept: pd.DataFrame, row: Mapping[str, int], shown: Sequence[str]
) -> None:
    few = len(row) <= r.LABELLED
    full = 0.38 if few else 0.5
    half = full / len(shown)
    handles: list[Any] = []
    y0 = kept["host"].map(row).to_numpy(dtype=np.float64)
    lane = kept["channel"].map({name: i for i, name in enumerate(shown)}).to_numpy(np.float64)
    y = y0 - full + half * (2 * lane + 1)
    left, right = c.numbers(kept["start"]), c.numbers(kept["end"])
    for i, name in enumerate(shown):
        hit = lane == i
        colour = BLUES[i % len(BLUES)]
        boxes = r.boxes(left[hit], right[hit], y[hit], half)
        ax.add_collection(
            PolyCollection(
                list(boxes),
                facecolor=colour,
                edgecolor="white",
                linewidth=0.8 * few,
                antialiased=few,
            )
        )
        handles.append(Patch(facecolor=colour, label=w.plain(name, limit=40)))
    for why, marker in CUTS.items():
        at = (kept["why_start"] == why).to_numpy(), (kept["why_end"] == why).to_numpy()
        xs, ys = np.concatenate([left[at[0]], right[at[1]]]), np.concatenate([y[at[0]], y[at[1]]])
        if len(xs):
            look = {"marker": marker, "color": c.FAIL.colour}
            ax.scatter(xs, ys, s=36, zorder=3, clip_on=False, edgecolor="white", **look)  # type: ignore[arg-type]  # a dict of literals
            handles.append(Line2D([], [], linestyle="", markersize=7, label=why, **look))  # type: ignore[arg-type]  # as above
    handles.append(r.no_data_patch())
    ax.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(c.edge(ax), 0),
        bbox_transform=ax.transAxes + c.below(ax, 44),
        ncol=len(handles),
        borderaxespad=0,
    )


def _coverage_words(kept: pd.DataFrame, order: Sequence[str], shown: Sequence[str]) -> str:
    main = w.plain(shown[0], limit=40)
    part = kept.loc[kept["channel"] == shown[0]]
    cut = part["why_start"].isin(list(CUTS)) | part["why_end"].isin(list(CUTS))
    early = part.loc[cut, "host"].nunique()
    without = len(order) - part["host"].nunique()
    words = f"The {main} log of {w.of(len(order) - without - early, len(order), 'host')} is whole"
    if early:
        words += f"; {early:,} lost a part"
    if without:
        words += f"; {without:,} {'has' if without == 1 else 'have'} none"
    return words
