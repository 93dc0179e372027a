"""Charts of what came of it: which change did it, how long it took, what it cost.

Recovery is a curve with its interval and the hosts still out in it, never a bare mean: a mean of
those already back flatters every incident that is not over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import pandas as pd

from kitlib.charts import _canvas as c
from kitlib.charts import _numbers as n
from kitlib.charts import _words as w

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes


# ---------------------------------------------------------------- time to recovery


@c.styled
def time_to_recovery(
    hosts: pd.DataFrame, coverage: pd.DataFrame, *, ax: Axes | None = None
) -> Axes:
    """Draw the share of affected hosts still out by days since each one's first failure.

    Parameters
    ----------
    hosts
        Table of `kitlib.schema`; hosts with an ``onset`` are in the curve.
    coverage
        For each host's last evidence: hosts not recovered by then leave the curve there, marked.

    Notes
    -----
    Kaplan-Meier, 90 % log-log interval. Not split by way of recovery: that group is known only
    afterwards and would count the waiting time for a fix as the fix's own merit.
    """
    table = recovery_times(hosts, coverage)
    if table.empty:
        return c.nothing(ax, "No host was hit, so none had to recover.")
    days = table["days"].to_numpy(dtype=np.float64)
    back = table["back"].to_numpy(dtype=np.float64)
    curve = n.survival(days, back)
    ax = c.canvas(ax, left=1.85, bottom=1.8)
    _draw_curve(ax, curve, days, back)
    _at_risk(ax, days)
    title, alt = _recovery_words(curve, days, back)
    return c.finish(
        ax,
        title=title,
        alt=alt,
        caption=f"{w.many(len(table), 'host')} hit; Kaplan-Meier estimate with 90 % interval. "
        "Recovered means: works again, by fix, removal or otherwise. A tick on the curve is a host "
        "still out when its evidence ends; what became of it is not known.",
    )


def recovery_times(hosts: pd.DataFrame, coverage: pd.DataFrame) -> pd.DataFrame:
    """Return host, days, back: time from onset to recovery, or to the host's last evidence."""
    hit = hosts.loc[hosts["onset"].notna()]
    if hit.empty:
        return pd.DataFrame({"host": [], "days": [], "back": []})
    last = coverage.groupby("host")["end"].max().reindex(hit["host"]).set_axis(hit.index)
    last = last.fillna(coverage["end"].max())
    back = hit["recovered_at"].notna() & (hit["status"] != "still_failing")
    until = hit["recovered_at"].where(back, last)
    days = (until - hit["onset"]).dt.total_seconds() / 86_400
    table = pd.DataFrame({"host": hit["host"], "days": days.clip(lower=0), "back": back})
    return table.loc[table["days"].notna()].reset_index(drop=True)


def _draw_curve(
    ax: Axes,
    curve: pd.DataFrame,
    days: np.ndarray[Any, Any],
    back: np.ndarray[Any, Any],
) -> None:
    end = float(days.max())
    x = np.append(curve["day"], max(end, 1e-6))
    share = np.append(curve["share"], curve["share"].iloc[-1])
    low = curve["low"].ffill().to_numpy(dtype=np.float64)
    high = curve["high"].ffill().to_numpy(dtype=np.float64)
    ax.fill_between(
        x,
        np.append(low, low[-1]),
        np.append(high, high[-1]),
        step="post",
        color=c.FAIL.colour,
        alpha=0.15,
        linewidth=0,
    )
    ax.step(x, share, where="post", color=c.FAIL.colour, linewidth=2.4)
    gone = np.sort(days[back == 0])
    level = share[np.searchsorted(curve["day"].to_numpy(), gone, side="right") - 1]
    ax.scatter(gone, level, marker="|", s=160, color=c.INK, linewidth=1.8, zorder=3)
    c.percent_axis(ax, "hosts still out")
    ax.set_xlim(0, max(end * 1.03, 0.1))
    ax.set_xlabel("days since the host's own first failure")


def _at_risk(ax: Axes, days: np.ndarray[Any, Any]) -> None:
    """Write the denominator under the axis: hosts still out and still observed."""
    low, high = ax.get_xlim()
    ticks = [float(t) for t in ax.get_xticks() if low <= t <= high]
    c.counts_below(ax, ticks, {"still out, seen": [(days >= t).sum() for t in ticks]}, points=50)


def _recovery_words(
    curve: pd.DataFrame, days: np.ndarray[Any, Any], back: np.ndarray[Any, Any]
) -> tuple[str, str]:
    out = int((back == 0).sum())
    tail = (
        f"{out:,} of {len(days):,} {'was' if out == 1 else 'were'} still out at their last evidence"
        if out
        else f"all {len(days):,} recovered within {duration(float(days.max()))}"
    )
    half, ninety = _reached(curve, 0.5), _reached(curve, 0.1)
    if half is None:
        return f"Fewer than half of the {w.many(len(days), 'host')} hit recovered; {tail}", ""
    alt = f"Nine in ten by {duration(ninety)}" if ninety is not None else ""
    return (
        f"Half of the {w.many(len(days), 'host')} hit worked again after {duration(half)}; {tail}",
        alt,
    )


def _reached(curve: pd.DataFrame, share: float) -> float | None:
    below = curve.loc[curve["share"] <= share, "day"]
    return float(below.iloc[0]) if len(below) else None


def duration(days: float) -> str:
    """Write a span for a title: ``'5 hours'``, ``'4.2 days'``."""
    if days < 2:
        return w.many(round(days * 24), "hour")
    return f"{days:.1f} days"


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
        """Attempts that ended with the symptom."""

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
        f"{w.many(impact.hosts_affected, 'host')}, with {impact.attempts_lost:,} failed attempts",
        alt=f"The host hit hardest lost {value[0]:,.1f} hours",
        caption=f"{w.many(len(lost), 'host')} with hours lost{left_out}. Lines: 90 % intervals. Hours are an estimate from the logs, not a count of complaints.",
    )
