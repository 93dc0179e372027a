"""Charts of the fleet: each host's story, and who had what when.

A host without coverage is hatched "no data", never drawn as fine. Marks are drawn by
collections, not host by host, so that thousands of hosts stay a matter of seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from kitlib import schema
from kitlib.charts import _canvas as c
from kitlib.charts import _numbers as n
from kitlib.charts import _rows as r
from kitlib.charts import _words as w
from kitlib.charts.rates import NO_MARKS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from matplotlib.axes import Axes

# ---------------------------------------------------------------- swimlane


@c.styled
def fleet_swimlane(  # noqa: PLR0913  # options are keyword-only, with defaults
    attempts: pd.DataFrame,
    exposure: pd.DataFrame,
    coverage: pd.DataFrame,
    *,
    guilty: Collection[str],
    fixed: Collection[str] = (),
    codes: Collection[str] = (),
    timeline: pd.DataFrame | None = None,
    marks: Mapping[str, pd.Timestamp] = NO_MARKS,
    ax: Axes | None = None,
) -> Axes:
    """Draw one row per host: what was in effect, every attempt, restarts, and where we are blind.

    Parameters
    ----------
    attempts, exposure, coverage
        Tables of `kitlib.schema`. Coverage counts in the channels the attempts were read from.
    guilty, fixed
        Labels of the suspected change and of its cures.
    codes
        Failure codes of the symptom; other failures get a mark of their own. Empty: all.
    timeline
        For restarts (facts with ``action`` 'boot'); none are drawn without it.
    marks
        More moments to mark by name (UTC).

    Returns
    -------
    matplotlib.axes.Axes
        Rows sorted by first exposure; never exposed hosts below.
    """
    rows = n.counted(attempts, codes=codes)
    order = _order(rows, exposure, coverage, guilty)
    if not order or (rows.empty and coverage.empty and exposure.empty):
        return c.nothing(ax, "No host left a trace in this evidence.")
    row = {host: i for i, host in enumerate(order)}
    seen = _seen(coverage, n.attempt_channels(attempts))
    low, high = _limits(rows, coverage, exposure)
    ax = c.canvas(ax, left=r.label_room(order), bottom=1.95, top=1.4)
    r.draw_blind(ax, seen, order, (low, high))
    last = _last_seen(seen, rows, order, low, high)
    _draw_effect(ax, exposure, row, guilty, fixed, last=last)
    _draw_attempts(ax, rows, row)
    if timeline is not None:
        _draw_boots(ax, timeline.loc[timeline["action"] == "boot"], row)
    _draw_cures(ax, exposure, row, guilty, fixed)
    r.host_axis(ax, order)
    c.time_axis(ax, low, high)
    c.draw_marks(ax, c.change_marks(exposure, guilty=(), fixed=(), marks=marks))
    _legend(ax, fixed=fixed, guilty=guilty, boots=timeline is not None, codes=codes)
    title, alt = _lane_words(rows, exposure, guilty, seen, order=order, codes=codes)
    return c.finish(
        ax,
        title=title,
        alt=alt,
        caption=f"{w.many(len(order), 'host')}, sorted by first exposure; "
        f"{w.many(len(rows), 'attempt')}; {_span_words(low, high)}. A bar that reaches the right "
        "edge was still in effect at the host's last evidence. Hatched: the log that holds the "
        "attempts does not cover this time." + w.spell_changes(guilty),
    )


def _order(
    rows: pd.DataFrame, exposure: pd.DataFrame, coverage: pd.DataFrame, guilty: Collection[str]
) -> list[str]:
    """List every host: by first exposure, then never exposed ones with attempts, then the rest."""
    hosts = pd.Index(
        sorted({*rows["host"], *exposure["host"], *coverage["host"]} - {""}), dtype="str"
    )
    first = n.spans(exposure, guilty).groupby("host")["start"].min().reindex(hosts)
    tries = rows.groupby("host").size().reindex(hosts, fill_value=0)
    table = pd.DataFrame({"first": first, "idle": tries == 0, "host": hosts}, index=hosts)
    return list(table.sort_values(["first", "idle", "host"], na_position="last")["host"])


def _seen(coverage: pd.DataFrame, channels: frozenset[str]) -> pd.DataFrame:
    """Return the spans (host, start, end) in which an attempt would have been seen."""
    kept = coverage.loc[coverage["channel"].isin(list(channels))] if channels else coverage
    return kept.loc[kept["start"].notna() & kept["end"].notna(), ["host", "start", "end"]]


def _limits(
    rows: pd.DataFrame, coverage: pd.DataFrame, exposure: pd.DataFrame
) -> tuple[float, float]:
    """Return the window: the attempts' with a day on each side, else all there is."""
    if len(rows):
        pad = pd.Timedelta(days=1)
        last = rows["time"].max()
        seen = coverage["end"].dropna().max() if len(coverage) else last
        end = max(last, min(last + pad, seen)) if pd.notna(seen) else last
        return c.number(rows["time"].min() - pad), c.number(end)
    times = pd.concat(
        [coverage["start"], coverage["end"], exposure["start"], exposure["end"]]
    ).dropna()
    return c.number(times.min()), c.number(times.max() + pd.Timedelta(hours=1))


def _last_seen(
    seen: pd.DataFrame, rows: pd.DataFrame, order: Sequence[str], low: float, high: float
) -> np.ndarray[Any, Any]:
    """Return each host's last evidence as a day number: open bars end there."""
    index = pd.Index(list(order), dtype="str")
    ends = seen.groupby("host")["end"].max().reindex(index)
    tries = rows.groupby("host")["time"].max().reindex(index)
    last = c.numbers(pd.concat([ends, tries], axis=1).max(axis=1))
    return np.clip(np.where(np.isnan(last), high, last), low, high)


def _draw_effect(  # noqa: PLR0913  # all of a bar's circumstances
    ax: Axes,
    exposure: pd.DataFrame,
    row: Mapping[str, int],
    guilty: Collection[str],
    fixed: Collection[str],
    *,
    last: np.ndarray[Any, Any],
) -> None:
    for labels, look, alpha in ((guilty, c.EFFECT, 0.55), (fixed, c.FIX, 0.3)):
        spans = n.spans(exposure, labels)
        if spans.empty:
            continue
        y = spans["host"].map(row).to_numpy(dtype=np.int64)
        left = c.numbers(spans["start"])
        right = np.minimum(c.numbers(spans["end"]), np.where(spans["end"] == n.END, last[y], 1e9))
        ax.add_collection(
            PolyCollection(
                list(r.boxes(left, right, y.astype(np.float64), r.half_height(len(row)))),
                facecolor=look.colour,
                alpha=alpha,
                linewidth=0,
                antialiased=len(row) <= r.LABELLED,
                zorder=1,
            )
        )


def _draw_attempts(ax: Axes, rows: pd.DataFrame, row: Mapping[str, int]) -> None:
    size = float(np.clip(1500 / max(len(row), 1), 6, 70))
    y = rows["host"].map(row).to_numpy(dtype=np.float64)
    x = c.numbers(rows["time"])
    other = (rows["failed"] & ~rows["symptom"]).to_numpy(dtype=bool)
    groups = (
        (~rows["failed"].to_numpy(dtype=bool), c.OK, size, 1.4),
        (other, c.OTHER, size * 0.8, 1.4),
        (rows["symptom"].to_numpy(dtype=bool), c.FAIL, size * 0.6, 1.6),
    )
    for hit, look, s, width in groups:
        ax.scatter(
            x[hit],
            y[hit],
            marker=look.marker,
            s=s,
            color=look.colour,
            linewidth=width,
            zorder=2.5,
            rasterized=len(rows) > 2000,
        )


def _draw_boots(ax: Axes, boots: pd.DataFrame, row: Mapping[str, int]) -> None:
    kept = boots.loc[boots["host"].isin(list(row)) & boots["time"].notna()]
    size = float(np.clip(400 / max(len(row), 1), 3, 16))
    y = kept["host"].map(row).to_numpy(dtype=np.float64) + r.BAR
    ax.scatter(
        c.numbers(kept["time"]), y, marker=c.BOOT.marker, s=size, color=c.BOOT.colour, zorder=2
    )


def _draw_cures(
    ax: Axes,
    exposure: pd.DataFrame,
    row: Mapping[str, int],
    guilty: Collection[str],
    fixed: Collection[str],
) -> None:
    """Mark where the fix took effect, and where the change went away without it."""
    size = float(np.clip(1200 / max(len(row), 1), 10, 80))
    fixes = exposure.loc[exposure["change"].isin(list(fixed)) & exposure["start"].notna()]
    for table, column, look in (
        (first_fixes(fixes), "start", c.FIX),
        (removals(exposure, guilty=guilty, fixed=fixed), "end", c.REMOVED),
    ):
        y = table["host"].map(row).to_numpy(dtype=np.float64)
        ax.scatter(
            c.numbers(table[column]),
            y,
            marker=look.marker,
            s=size,
            facecolor=look.colour,
            edgecolor=c.INK,
            linewidth=1 if len(row) <= r.LABELLED else 0,
            zorder=4,
        )


def first_fixes(fixes: pd.DataFrame) -> pd.DataFrame:
    """Return each host's first row of `fixes` (later cumulative updates keep the cure)."""
    return fixes.sort_values("start").drop_duplicates("host")


def removals(
    exposure: pd.DataFrame, *, guilty: Collection[str], fixed: Collection[str]
) -> pd.DataFrame:
    """Return the guilty spans that ended without a cure taking effect at that moment."""
    ended = exposure.loc[exposure["change"].isin(list(guilty)) & exposure["end"].notna()]
    cures = exposure.loc[exposure["change"].isin(list(fixed)), ["host", "start"]]
    paired = ended.reset_index(names="span").merge(cures, on="host", suffixes=("", "_cure"))
    near = (paired["start_cure"] - paired["end"]).abs() <= pd.Timedelta(hours=1)
    return ended.loc[~ended.index.isin(paired.loc[near, "span"])]


def _legend(
    ax: Axes,
    *,
    guilty: Collection[str],
    fixed: Collection[str],
    boots: bool,
    codes: Collection[str],
) -> None:
    def dot(look: c.Look, *, filled: bool = False) -> Line2D:
        edge = c.INK if filled else look.colour
        return Line2D(
            [],
            [],
            linestyle="",
            marker=look.marker,
            color=look.colour,
            markeredgecolor=edge,
            markersize=8,
            markeredgewidth=1 if filled else 2,
            label=look.word,
        )

    handles: list[Any] = [
        Patch(facecolor=c.EFFECT.colour, alpha=0.55, label=f"{w.name_changes(guilty)} in effect"),
        dot(c.OK),
        dot(c.FAIL),
        *([dot(c.OTHER)] if codes else []),
        dot(c.REMOVED, filled=True),
        *([dot(c.FIX, filled=True)] if fixed else []),
        *([dot(c.BOOT)] if boots else []),
        r.no_data_patch(),
    ]
    ax.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(c.edge(ax), 0),
        bbox_transform=ax.transAxes + c.below(ax, 44),
        ncol=len(handles),
        columnspacing=1.1,
        handletextpad=0.4,
        borderaxespad=0,
    )


def _span_words(low: float, high: float) -> str:
    return w.window(c.moment(low), c.moment(high))


def _lane_words(  # noqa: PLR0913  # a sentence about all that was drawn
    rows: pd.DataFrame,
    exposure: pd.DataFrame,
    guilty: Collection[str],
    seen: pd.DataFrame,
    *,
    order: Sequence[str],
    codes: Collection[str],
) -> tuple[str, str]:
    during = n.spans(exposure, guilty)
    blind = len(order) - len(set(seen["host"]) | set(rows["host"]))
    alt = f"{w.many(blind, 'host')} without data" if blind else ""
    if during.empty:
        bad = rows.loc[rows["symptom"], "host"].nunique()
        if rows.empty:
            return f"No attempt was seen on any of {w.many(len(order), 'host')}", alt
        return f"{w.of(bad, rows['host'].nunique(), 'host')} that tried failed at least once", alt
    phase = n.phases(rows, during).to_numpy()
    exposed, free = rows.loc[phase == "during"], rows.loc[phase == "never"]
    alt = f"{w.many(during['host'].nunique(), 'host')} had it in effect at some time" + (
        f"; {alt}" if alt else ""
    )
    count = _hosts_hit if codes else _attempts_hit
    tried = " that tried" if codes else ""
    return (
        f"{count(exposed)}{tried} with {w.name_changes(guilty)} in effect failed; "
        f"{count(free)} that never had it"
    ), alt


def _hosts_hit(rows: pd.DataFrame) -> str:
    hit = rows.loc[rows["symptom"], "host"].nunique()
    return w.of(hit, rows["host"].nunique(), "host")


def _attempts_hit(rows: pd.DataFrame) -> str:
    hosts = w.many(rows["host"].nunique(), "host")
    return f"{w.of(int(rows['symptom'].sum()), len(rows), 'attempt')} on {hosts}"


# ---------------------------------------------------------------- adoption


@c.styled
def adoption(  # noqa: PLR0913  # options are keyword-only, with defaults
    exposure: pd.DataFrame,
    attempts: pd.DataFrame,
    *,
    guilty: Collection[str],
    fixed: Collection[str] = (),
    codes: Collection[str] = (),
    marks: Mapping[str, pd.Timestamp] = NO_MARKS,
    ax: Axes | None = None,
) -> Axes:
    """Draw over time how many hosts had the change in effect, were broken, had the fix.

    A host is broken from an attempt that failed with one of `codes` (any, if empty) until its
    next success.

    Parameters
    ----------
    exposure, attempts
        Tables of `kitlib.schema`; the denominator is every host in either.
    guilty, fixed, codes, marks
        As in `fleet_swimlane`.
    """
    rows = n.counted(attempts, codes=codes)
    hosts = {*exposure["host"], *attempts["host"]} - {""}
    if not hosts or n.spans(exposure, guilty).empty:
        return c.nothing(ax, f"{w.name_changes(guilty)} was in effect on no host of this evidence.")
    low, high = _limits(rows, schema.empty("coverage"), exposure)
    lines = [
        (c.EFFECT, f"{w.name_changes(guilty)}\nin effect", _steps(n.spans(exposure, guilty)), "-"),
        (c.FAIL, "last attempt\nfailed", _steps(_broken(rows)), "--"),
        (c.FIX, "fix in effect", _steps(n.spans(exposure, fixed)), "-."),
    ]
    ax = c.canvas(ax, left=1.05, right=1.85, top=1.6)
    ends = []
    for look, word, (x, count), style in lines:
        if len(x):
            steps, span = (x, count / len(hosts)), (low, high)
            level = _draw_steps(ax, steps, span, colour=look.colour, style=style)
            ends.append((level, word, look.colour))
    c.percent_axis(ax, f"share of {w.many(len(hosts), 'host')}")
    c.time_axis(ax, low, high)
    _end_labels(ax, ends, high)
    c.draw_marks(ax, c.change_marks(exposure, guilty=guilty, fixed=fixed, marks=marks))
    title, alt = _adoption_words(lines, rows, exposure, guilty, len(hosts))
    return c.finish(
        ax,
        title=title,
        alt=alt,
        caption=f"Denominator: {w.many(len(hosts), 'host')} with evidence, "
        f"{_span_words(low, high)}. A host counts as broken from an attempt that failed "
        f"{'with code ' + ', '.join(sorted(codes)) + ' ' if codes else ''}until its next success."
        + w.spell_changes(guilty),
    )


def _broken(rows: pd.DataFrame) -> pd.DataFrame:
    """Return host, start, end of the times in which the last attempt had failed."""
    told = rows.loc[rows["symptom"] | ~rows["failed"]].sort_values(["host", "time"])
    turn = told.groupby("host")["symptom"].shift(fill_value=False) != told["symptom"]
    turns = told.loc[turn, ["host", "time", "symptom"]]
    end = turns.groupby("host")["time"].shift(-1)
    spans = pd.DataFrame({"host": turns["host"], "start": turns["time"], "end": end.fillna(n.END)})
    return spans.loc[turns["symptom"]].reset_index(drop=True)


def _steps(spans: pd.DataFrame) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return change times (day numbers) and the number of spans open after each."""
    times = np.concatenate([c.numbers(spans["start"]), c.numbers(spans["end"])])
    delta = np.repeat([1, -1], len(spans))
    keep = np.argsort(times, kind="stable")
    return times[keep], np.cumsum(delta[keep])


def _draw_steps(
    ax: Axes,
    steps: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]],
    span: tuple[float, float],
    *,
    colour: str,
    style: str,
) -> float:
    """Draw (times, shares) as steps within `span`; return the last level."""
    (x, share), (low, high) = steps, span
    before = x <= low
    start = float(share[before][-1]) if before.any() else 0.0
    inside = (x > low) & (x <= high)
    xs = np.concatenate([[low], x[inside], [high]])
    ys = np.concatenate([[start], share[inside], share[inside][-1:] if inside.any() else [start]])
    ax.step(xs, ys, where="post", color=colour, linewidth=2.4, linestyle=style)
    return float(ys[-1])


def _end_labels(ax: Axes, ends: Sequence[tuple[float, str, str]], x: float) -> None:
    """Name each line at its right end, pushed apart where they would meet."""
    at = -1.0
    for level, word, colour in sorted(ends):
        at = max(level, at + 0.13)
        ax.annotate(
            word,
            xy=(x, at),
            xytext=(14, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            annotation_clip=False,
        )


def _adoption_words(
    lines: Sequence[tuple[c.Look, str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]], str]],
    rows: pd.DataFrame,
    exposure: pd.DataFrame,
    guilty: Collection[str],
    total: int,
) -> tuple[str, str]:
    x, count = lines[0][2]
    peak = int(count.max())
    when = max(x[int(count.argmax())], c.number(_first(exposure, rows)))
    hit = _broken(rows)["host"].nunique()
    cured = int(lines[2][2][1].max(initial=0))
    alt = f"At most {int(lines[1][2][1].max(initial=0))} hosts broken at once"
    title = (
        f"{w.name_changes(guilty)} was in effect on {w.of(peak, total, 'host')} at its peak "
        f"({w.day(c.moment(when))}); {hit:,} failed at least once; the fix reached {cured:,}"
    )
    return title, alt


def _first(exposure: pd.DataFrame, rows: pd.DataFrame) -> pd.Timestamp:
    times = pd.concat([exposure["start"], rows["time"]]).dropna()
    return times.min() if len(times) else n.BEGIN
