"""Charts of what came of it: which change did it, how long it took, what it cost.

Recovery is a curve with its interval and the hosts still out in it, never a bare mean: a mean of
those already back flatters every incident that is not over.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import pandas as pd

from kitlib.charts import _canvas as c
from kitlib.charts import _words as w
from kitlib.restoration import WAYS, in_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    from kitlib.restoration import Restoration


# ---------------------------------------------------------------- time to recovery

LINES: Final[Mapping[str, tuple[c.Look, str, str]]] = {
    "any": (c.FAIL, "-", "works again, in any way"),
    "fix": (c.FIX, "--", "works with the fix in"),
}
"""How each way to work again is drawn: look, line and words."""


@c.styled
def time_to_recovery(restoration: Restoration, *, ax: Axes | None = None) -> Axes:
    """Draw the share of affected hosts still out by days since each one's own first failure.

    Parameters
    ----------
    restoration
        What `kitlib.measure_restoration` returned: its curves, who is at risk, its relapses.

    Notes
    -----
    Kaplan-Meier, 90 % log-log interval. Not split by way of recovery: that group is known only
    afterwards and would count the waiting time for a fix as the fix's own merit. The second curve
    is another clock, not another group: how long all hosts hit wait for the fix itself.
    """
    times = restoration.times
    if times.empty:
        return c.nothing(ax, "No host was hit, so none had to recover.")
    relapses = _relapse_days(restoration)
    ax = c.canvas(ax, left=1.85, bottom=2.05 if len(relapses) else 1.85)
    end = float(times[["days", "fixed_days"]].to_numpy().max())
    _draw_band(ax, restoration.curve[restoration.curve["way"] == "any"], end)
    for way in restoration.curve["way"].unique():
        _draw_curve(ax, restoration, way, end)
    _draw_relapses(ax, relapses)
    _days_axis(ax, end)
    _at_risk(ax, restoration, relapses)
    title, alt = _recovery_words(restoration)
    return c.finish(
        ax,
        title=title,
        alt=alt,
        caption=f"{w.many(len(times), 'host')} hit; Kaplan-Meier estimate, solid line with its 90 % interval. "
        "Works again means: to its last evidence, by fix, removal or otherwise. A tick on the "
        "curve is a host still out when its evidence ends; what became of it is not known."
        + (" x: a host that had worked again failed once more." if len(relapses) else ""),
    )


def _relapse_days(restoration: Restoration) -> np.ndarray[Any, Any]:
    """Days from each host's first failure to each of its relapses, in order."""
    again = restoration.relapses
    onset = again["host"].map(restoration.times.set_index("host")["onset"])
    return np.sort((again["start"] - onset).dt.total_seconds().to_numpy(np.float64) / 86_400)


def _draw_band(ax: Axes, curve: pd.DataFrame, end: float) -> None:
    low, high = (curve[name].ffill().to_numpy(np.float64) for name in ("low", "high"))
    ax.fill_between(
        np.append(curve["day"], max(end, 1e-6)),
        np.append(low, low[-1]),
        np.append(high, high[-1]),
        step="post",
        color=c.FAIL.colour,
        alpha=0.15,
        linewidth=0,
    )


def _draw_curve(ax: Axes, restoration: Restoration, way: str, end: float) -> None:
    """Draw the steps of one curve, with a tick for each host that leaves it while out."""
    curve, times = restoration.curve[restoration.curve["way"] == way], restoration.times
    done, days = WAYS[way]
    x, share = (curve[name].to_numpy(np.float64) for name in ("day", "share"))
    look, style, label = LINES[way]
    ax.step(
        np.append(x, max(end, 1e-6)),
        np.append(share, share[-1]),
        where="post",
        color=look.colour,
        linestyle=style,
        linewidth=2.4,
        label=label,
    )
    gone = times.loc[~times[done], days].to_numpy(np.float64)
    level = share[np.searchsorted(x, gone, side="right") - 1]
    ax.scatter(gone, level, marker="|", s=160, color=c.INK, linewidth=1.8, zorder=3)


def _draw_relapses(ax: Axes, days: np.ndarray[Any, Any]) -> None:
    if len(days):
        floor = np.full(len(days), 0.02)
        ax.scatter(
            days,
            floor,
            marker=c.FAIL.marker,
            s=70,
            color=c.FAIL.colour,
            linewidth=2,
            zorder=4,
            label="failed again",
        )


def _days_axis(ax: Axes, end: float) -> None:
    c.percent_axis(ax, "hosts still out")
    ax.set_xlim(0, max(end * 1.03, 0.1))
    ax.set_xlabel("days since the host's own first failure")
    ax.legend(loc="upper right", ncols=3, bbox_to_anchor=(1, 1.1), borderaxespad=0)


def _at_risk(ax: Axes, restoration: Restoration, relapses: np.ndarray[Any, Any]) -> None:
    """Write the denominators under the axis: hosts still out and still observed, by curve."""
    low, high = ax.get_xlim()
    ticks = [float(t) for t in ax.get_xticks() if low <= t <= high]
    rows: dict[str, Sequence[float]] = {"still out, seen": restoration.at_risk(ticks)}
    if set(restoration.curve["way"]) > {"any"}:
        rows["unfixed, seen"] = restoration.at_risk(ticks, way="fix")
    if len(relapses):
        rows["failed again so far"] = [int((relapses <= t).sum()) for t in ticks]
    c.counts_below(ax, ticks, rows, points=50)


def _recovery_words(restoration: Restoration) -> tuple[str, str]:
    times, table = restoration.times, restoration.milestones
    count, out = len(times), int((~times["back"]).sum())
    known = table[table["way"] == "any"].set_index("share")["days"]
    tail = (
        f"{out:,} of {count:,} {'was' if out == 1 else 'were'} not back at their last evidence"
        if out
        else f"all {count:,} recovered within {in_words(float(known[1.0]))}"
    )
    if np.isnan(known[0.5]):
        return f"Fewer than half of the {w.many(count, 'host')} hit recovered; {tail}", ""
    alt = "" if np.isnan(known[0.9]) else f"Nine in ten by {in_words(float(known[0.9]))}"
    half = in_words(float(known[0.5]))
    return f"Half of the {w.many(count, 'host')} hit worked again after {half}; {tail}", alt


# ---------------------------------------------------------------- hosts out by calendar


@c.styled
def hosts_out(
    restoration: Restoration,
    *,
    marks: Mapping[str, pd.Timestamp] = MappingProxyType({}),
    ax: Axes | None = None,
) -> Axes:
    """Draw how many of the hosts hit are out, work again or are unknown, by calendar time.

    Parameters
    ----------
    restoration
        What `kitlib.measure_restoration` returned.
    marks
        Moments to mark, by name.
    """
    steps = restoration.calendar
    if steps.empty:
        return c.nothing(ax, "No host was hit, so none was ever out.")
    ax = c.canvas(ax, bottom=1.5, top=1.5)
    x = np.append(c.numbers(steps["time"]), c.number(max(restoration.last, steps["time"].max())))
    hit = _stack(ax, x, steps)
    again = c.numbers(restoration.relapses["start"])
    if len(again):
        below = np.full(len(again), -0.025 * hit)
        style: dict[str, Any] = {"marker": c.FAIL.marker, "s": 70, "color": c.FAIL.colour}
        ax.scatter(again, below, linewidth=2, zorder=4, label="failed again", **style)
    c.time_axis(ax, float(x[0]), float(x[-1]))
    c.draw_marks(ax, [c.Mark(w.plain(name, limit=40), time) for name, time in marks.items()])
    ax.set_ylim(-0.05 * hit, 1.02 * hit)
    ax.yaxis.set_major_locator(c.whole_numbers(6))
    ax.set_ylabel("hosts that were hit")
    ax.legend(loc="upper right", ncols=4, bbox_to_anchor=(1, 1.19), borderaxespad=0)
    return c.finish(
        ax,
        title=_calendar_words(restoration),
        caption=f"{w.many(len(restoration.times), 'host')} hit; a host counts as out from its first "
        "failure to the success that confirms it works, nights and weekends included. Not known "
        "any more: its logs end while it is out, or a cure came that nobody has tried enough.",
    )


def _stack(ax: Axes, x: np.ndarray[Any, Any], steps: pd.DataFrame) -> float:
    """Fill out, unknown and working hosts one on the other; return how many were hit."""
    floor = np.zeros(len(x))
    for name, look, label in (
        ("out", c.FAIL, "out"),
        ("unknown", c.NO_DATA, "not known any more"),
        ("working", c.OK, "works again"),
    ):
        top = floor + np.append(steps[name], steps[name].iloc[-1])
        ax.fill_between(
            x,
            floor,
            top,
            step="post",
            facecolor=look.colour,
            alpha=0.35 if look is c.OK else 0.85,
            hatch="///" if look is c.NO_DATA else None,
            edgecolor="white",
            linewidth=0,
            label=label,
        )
        floor = top
    return float(floor.max())


def _calendar_words(restoration: Restoration) -> str:
    steps = restoration.calendar
    peak, end = steps.iloc[int(steps["out"].argmax())], steps.iloc[-1]
    again = int(end["relapses"])
    fell = f"; {w.many(again, 'relapse')}" if again else ""
    return (
        f"At most {w.many(int(peak['out']), 'host')} out at once ({w.day(peak['time'])}); at the "
        f"end {int(end['out']):,} out, {int(end['working']):,} working again"
        + (f", {int(end['unknown']):,} not known" if end["unknown"] else "")
        + fell
    )


# ---------------------------------------------------------------- suspects

WORTH: Final = 0.01
"""Changes less probable than this are not worth telling apart."""

LIKELY: Final = 0.5


@c.styled
def suspects_chart(suspects: pd.DataFrame, *, top: int = 12, ax: Axes | None = None) -> Axes:
    """Draw each suspected change's risk difference with its interval, most probable first.

    Parameters
    ----------
    suspects
        Table of `kitlib.schema`. Changes of one ``group`` cannot be told apart by this evidence;
        they share a bracket.
    top
        How many to draw; the number left out is in the caption.
    """
    known = suspects.sort_values(["rank", "change"]).reset_index(drop=True)
    if known.empty:
        return c.nothing(ax, "No change was found that could have done it.")
    kept = known.head(top)
    names = [w.plain(name, limit=36) for name in kept["change"]]
    ax = c.canvas(ax, left=0.6 + max(len(name) for name in names) * 0.105, right=3.3)
    _draw_risk(ax, kept)
    ax.set_yticks(range(len(kept)), names)
    ax.set_ylim(len(kept) - 0.4, -0.6)
    _side_notes(ax, kept)
    _brackets(ax, kept)
    left_out = len(known) - len(kept)
    return c.finish(
        ax,
        title=_suspect_words(known),
        caption="Risk difference: failure rate of hosts with the change minus without it, "
        "same days, with 90 % interval; 0 means it makes no difference. "
        "A bracket joins changes that this evidence cannot tell apart. "
        f"{w.many(len(known), 'change')} compared"
        + (f", {left_out:,} less probable ones not drawn." if left_out else "."),
    )


def _draw_risk(ax: Axes, kept: pd.DataFrame) -> None:
    y = np.arange(len(kept))
    low, high = kept["risk_low"].to_numpy(np.float64), kept["risk_high"].to_numpy(np.float64)
    difference = kept["risk_difference"].to_numpy(np.float64)
    first = (kept["rank"] == kept["rank"].min()).to_numpy(dtype=bool)
    colours = np.where(first, c.FAIL.colour, "#7a7a7a")
    ax.hlines(y, low, high, colors=list(colours), linewidth=5, alpha=0.45)
    ax.scatter(difference, y, c=list(colours), s=90, marker="D", zorder=3)
    ax.axvline(0, color=c.INK, linewidth=1.2)
    ax.grid(axis="x", linewidth=0.8)
    least = min(-0.2, float(np.nanmin(np.append(low, 0))) - 0.05)
    ax.set_xlim(max(least, -1.02), 1.02)
    ticks = [t for t in np.arange(-1, 1.01, 0.2) if t >= least]
    ax.set_xticks(ticks, [f"{round(100 * t):+d}" if abs(t) > 1e-9 else "0" for t in ticks])
    ax.set_xlabel("more (+) or fewer (-) failures with the change, percentage points")
    for where in y[np.isnan(difference)]:
        ax.text(0.02, where, "not estimable", va="center", color=c.FAINT)


def _side_notes(ax: Axes, kept: pd.DataFrame) -> None:
    """Write probability and hosts at the right of each row."""
    for i, (p, hosts) in enumerate(zip(kept["probability"], kept["hosts_exposed"], strict=True)):
        count = "" if pd.isna(hosts) else f", {w.many(int(hosts), 'host')}"
        ax.annotate(
            f"probability {probability(float(p))}{count}",
            xy=(1, i),
            xycoords=("axes fraction", "data"),
            xytext=(30, 0),
            textcoords="offset points",
            va="center",
            annotation_clip=False,
        )


def _brackets(ax: Axes, kept: pd.DataFrame) -> None:
    for _, part in kept.groupby("group"):
        if len(part) < 2 or not part["probability"].max() >= WORTH:
            continue
        low, high = int(part.index.min()), int(part.index.max())
        ax.plot(
            [1.015, 1.03, 1.03, 1.015],
            [low - 0.3, low - 0.3, high + 0.3, high + 0.3],
            color=c.INK,
            linewidth=1.4,
            clip_on=False,
            transform=ax.get_yaxis_transform(),
        )


def probability(p: float) -> str:
    """Write a probability; certainty is never rounded into being."""
    if np.isnan(p):
        return "unknown"
    if p > 0.995:
        return ">0.99"
    return "<0.01" if p < 0.005 else f"{p:.2f}"


def _suspect_words(known: pd.DataFrame) -> str:
    lead = known.iloc[0]
    tied = known.loc[known["group"].notna() & (known["group"] == lead["group"]), "change"]
    p = float(known.loc[tied.index, "probability"].sum() if len(tied) else lead["probability"])
    name = w.listed(list(tied) or [lead["change"]])
    if not p >= LIKELY:
        return (
            f"No change explains the failures: the most probable of {len(known):,}, "
            f"{w.plain(lead['change'])}, has probability {probability(float(lead['probability']))}"
        )
    apart = ", which cannot be told apart, explain" if len(tied) > 1 else " explains"
    words = f"{name}{apart} the failures with probability {probability(p)}"
    if np.isnan(lead["risk_difference"]):
        return f"{words}, but no comparison could be made"
    return (
        f"{words}: hosts with it failed {100 * lead['risk_difference']:.0f} percentage points "
        f"more often [{100 * lead['risk_low']:.0f} to {100 * lead['risk_high']:.0f}]"
    )


# ---------------------------------------------------------------- cost


class Cost(Protocol):
    """What `cost` reads: the fields of `kitlib.impact.Impact` it draws."""

    @property
    def hosts_affected(self) -> int:
        """Hosts that failed with the symptom under exposure."""

    @property
    def attempts_lost(self) -> int:
        """Sessions that the hosts would have had."""

    @property
    def user_hours_lost(self) -> Sequence[float]:
        """Estimate, low, high (90 %)."""

    @property
    def mttd_hours(self) -> float | None:
        """Hours from first failure to detection."""

    @property
    def mttr_hours(self) -> float | None:
        """Hours from onset to recovery."""


HOST_BARS: Final = 25


@c.styled
def cost(impact: Cost, hosts: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the user-hours lost per host, largest first, with the totals in the title.

    Parameters
    ----------
    impact
        `kitlib.impact.Impact`, or anything with its fields.
    hosts
        Table of `kitlib.schema`, for the hours of each host.
    """
    lost = hosts.loc[hosts["hours_lost"].fillna(0) > 0]
    lost = lost.sort_values(["hours_lost", "host"], ascending=[False, True])
    if lost.empty:
        return c.nothing(ax, "No user-hour was seen to be lost.")
    kept = lost.head(HOST_BARS).reset_index(drop=True)
    ax = c.canvas(ax, left=1.05, bottom=1.7 if len(kept) > 10 else 1.2)
    value = kept["hours_lost"].to_numpy(np.float64)
    x = np.arange(len(kept))
    ax.bar(x, value, color=c.FAIL.colour, width=0.7)
    ax.vlines(x, kept["hours_low"], kept["hours_high"], color=c.INK, linewidth=1.6)
    ax.set_xticks(x, [w.plain(host, limit=16) for host in kept["host"]])
    if len(kept) > 10:
        ax.tick_params(axis="x", labelrotation=45)
        for label in ax.get_xticklabels():
            label.set_horizontalalignment("right")
    ax.tick_params(axis="x", labelsize=c.CAPTION_SIZE, length=0)
    ax.set_ylabel("user-hours lost")
    ax.grid(axis="y", linewidth=0.8)
    estimate, low, high = impact.user_hours_lost
    rest = lost["hours_lost"].iloc[len(kept) :]
    left_out = f"; {len(rest):,} more ({rest.sum():,.0f} hours) not drawn" if len(rest) else ""
    return c.finish(
        ax,
        title=f"{estimate:,.0f} user-hours lost [{low:,.0f} to {high:,.0f}] on "
        f"{w.many(impact.hosts_affected, 'host')}, with {impact.attempts_lost:,} attempts lost",
        alt=f"The host hit hardest lost {value[0]:,.1f} hours",
        caption=f"{w.many(len(lost), 'host')} with hours lost{left_out}. Lines: 90 % intervals. Hours are an estimate from the logs, not a count of complaints.",
    )
