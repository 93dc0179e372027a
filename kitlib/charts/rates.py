"""Charts of rates: when did it break, did exposure do it, is it this fault.

Each takes schema tables and plain arguments, draws on ``ax`` (or on a figure of its own) and
returns the Axes; see `kitlib.charts`. Rates go from 0 to 100 %, intervals are drawn, nothing is
smoothed, and what stands in no denominator is said in the caption.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from mpl_toolkits.axes_grid1 import make_axes_locatable  # type: ignore[import-untyped]  # ships none

from kitlib.charts import _canvas as c
from kitlib.charts import _numbers as n
from kitlib.charts import _words as w

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from matplotlib.axes import Axes

FEW: Final = 5
"""Fewer attempts than this in a bin are drawn hollow: their share says little."""

NO_MARKS: Final[Mapping[str, pd.Timestamp]] = MappingProxyType({})
NO_TEXTS: Final[Mapping[str, str]] = MappingProxyType({})


# ---------------------------------------------------------------- success rate


@c.styled
def success_rate(  # noqa: PLR0913  # options are keyword-only, with defaults
    attempts: pd.DataFrame,
    exposure: pd.DataFrame,
    *,
    guilty: Collection[str] = (),
    fixed: Collection[str] = (),
    marks: Mapping[str, pd.Timestamp] = NO_MARKS,
    ax: Axes | None = None,
) -> Axes:
    """Draw the share of attempts that succeeded, per UTC day, with the attempts below.

    Parameters
    ----------
    attempts, exposure
        Tables of `kitlib.schema`.
    guilty, fixed
        Labels of ``exposure.change``: the suspected change, and what cures it.
    marks
        More moments to mark by name, e.g. release dates (UTC).
    ax
        Where to draw; a figure of its own if missing.

    Returns
    -------
    matplotlib.axes.Axes
        The rate panel. Its title states the rate before, during and after exposure.

    Notes
    -----
    The band is a 90 % Wilson interval with retry bursts counted once. A day without attempts
    leaves a gap; it is not bridged.
    """
    rows = n.counted(attempts)
    if rows.empty:
        return c.nothing(ax, "No attempt was seen to succeed or fail.")
    daily = n.shares(rows.assign(ok=~rows["failed"]), rows["time"].dt.floor("D"), "ok")
    daily = daily.asfreq("D")
    ax = c.canvas(ax, left=1.05, top=1.6)
    lower = make_axes_locatable(ax).append_axes("bottom", size="22%", pad=0.15, sharex=ax)
    _draw_rate(ax, daily)
    _draw_counts(lower, daily)
    ax.tick_params(labelbottom=False)
    x = c.numbers(daily.index.to_series())
    c.time_axis(lower, float(x[0]), float(x[-1]) + 1)
    c.draw_marks(ax, c.change_marks(exposure, guilty=guilty, fixed=fixed, marks=marks))
    title, alt = _rate_words(rows, exposure, guilty, daily)
    return c.finish(
        ax,
        title=title,
        alt=alt,
        caption=f"{w.many(len(rows), 'attempt')} on {w.many(rows['host'].nunique(), 'host')}, "
        f"{w.window(rows['time'].min(), rows['time'].max())}; cancelled attempts left out. "
        "Band: 90 % Wilson interval, retries of one burst counted once. "
        f"Hollow: fewer than {FEW} attempts that day. No line: no attempt."
        + w.spell_changes(guilty),
    )


def _draw_rate(ax: Axes, daily: pd.DataFrame) -> None:
    x = c.numbers(daily.index.to_series()) + 0.5
    share = daily["share"].to_numpy(dtype=np.float64)
    few = (daily["total"] < FEW).to_numpy(dtype=bool)
    ax.fill_between(x, daily["low"], daily["high"], color=c.OK.colour, alpha=0.18, linewidth=0)
    ax.vlines(x, daily["low"], daily["high"], color=c.OK.colour, alpha=0.35, linewidth=2)
    ax.plot(x, share, color=c.OK.colour, linewidth=2)
    ax.scatter(x[~few], share[~few], s=36, color=c.OK.colour, zorder=3)
    ax.scatter(
        x[few], share[few], s=36, facecolor="white", edgecolor=c.OK.colour, linewidth=1.5, zorder=3
    )
    c.percent_axis(ax, "attempts that succeeded")


def _draw_counts(ax: Axes, daily: pd.DataFrame) -> None:
    x = c.numbers(daily.index.to_series()) + 0.5
    total = daily["total"].fillna(0).to_numpy(dtype=np.float64)
    good = daily["hits"].fillna(0).to_numpy(dtype=np.float64)
    ax.bar(x, good, width=0.8, color=c.OK.colour, label=c.OK.word)
    ax.bar(
        x,
        total - good,
        width=0.8,
        bottom=good,
        color="white",
        edgecolor=c.FAIL.colour,
        hatch="xxxx",
        linewidth=1,
        label=c.FAIL.word,
    )
    ax.set_ylim(0, max(total.max() * 1.45, 1))
    ax.set_ylabel("attempts\nper day")
    ax.yaxis.set_major_locator(c.whole_numbers(3))
    ax.legend(loc="upper right", ncol=2, bbox_to_anchor=(1, 1.05), borderaxespad=0)


def _rate_words(
    rows: pd.DataFrame, exposure: pd.DataFrame, guilty: Collection[str], daily: pd.DataFrame
) -> tuple[str, str]:
    least, most = _extreme(daily, lowest=True), _extreme(daily, lowest=False)
    during = n.spans(exposure, guilty)
    if during.empty:
        return f"Attempts succeeded between {least} and {most} of the time", ""
    ok = (~rows["failed"]).groupby(n.phases(rows, during).to_numpy()).agg(["mean", "size"])
    words = {
        "before": f"before {w.name_changes(guilty)}",
        "during": "while it was in effect",
        "after": "after it was gone",
    }
    seen = {p: word for p, word in words.items() if p in ok.index}
    shares, sizes = ok["mean"].to_dict(), ok["size"].to_dict()
    parts = [f"{w.percent(shares[p])} {word}" for p, word in seen.items()]
    if "before" not in seen:
        parts = [part.replace("it was", f"{w.name_changes(guilty)} was", 1) for part in parts]
    counts = ", ".join(f"{sizes[p]:,} {p}" for p in seen)
    return (
        f"{', '.join(parts)}: the share of attempts that succeeded",
        f"Lowest day {least} success, highest {most}; n = {counts}",
    )


def _extreme(daily: pd.DataFrame, *, lowest: bool) -> str:
    row = daily.dropna(subset="share").sort_values("share", ascending=lowest, kind="stable").iloc[0]
    return f"{w.percent(float(row['share']))} ({w.day(pd.Timestamp(str(row.name)))})"


# ---------------------------------------------------------------- aligned on exposure


@c.styled
def aligned_on_exposure(  # noqa: PLR0913  # options are keyword-only, with defaults
    attempts: pd.DataFrame,
    exposure: pd.DataFrame,
    *,
    guilty: Collection[str],
    codes: Collection[str] = (),
    days: tuple[int, int] = (-7, 7),
    ax: Axes | None = None,
) -> Axes:
    """Draw the failure rate by days since each host's own exposure, beside hosts without it.

    Parameters
    ----------
    attempts, exposure
        Tables of `kitlib.schema`.
    guilty
        Labels of the suspected change.
    codes
        Failure codes of the symptom; any failure if empty.
    days
        First and last day shown; day 0 is the 24 hours from the moment it took effect.

    Notes
    -----
    The second line is drawn from hosts not (yet) exposed, on the same calendar days, weighted as
    the exposed attempts are; a host is never its own control. Hosts exposed since before the
    evidence begins have no day 0 and are left out, as are attempts after the change was gone.
    Assumes that hosts without the change were used alike; fails where a whole site is one group.
    """
    rows = n.counted(attempts, codes=codes)
    aligned = _aligned(rows, n.spans(exposure, guilty), days)
    if aligned.empty:
        return c.nothing(
            ax, f"No host was seen before and after {w.name_changes(guilty)} took effect."
        )
    exposed = n.shares(aligned, aligned["k"], "symptom")
    controls = _controls(aligned, _free(rows, n.spans(exposure, guilty)))
    ax = c.canvas(ax, left=1.75, right=2.1, bottom=1.95, top=1.25)
    _draw_aligned(ax, exposed, controls, guilty)
    _label_days(ax, days)
    _count_days(ax, exposed, controls, days)
    return c.finish(
        ax,
        title=_aligned_words(exposed, controls, guilty),
        alt=f"Day 0: {w.of(*_pair(exposed, 0), 'attempt')} failed" if 0 in exposed.index else "",
        caption=f"{w.many(aligned['host'].nunique(), 'host')} aligned at the moment the change "
        f"took effect on each; {w.many(len(aligned), 'attempt')}"
        f"; {w.codes_words(codes)}. "
        "Bars: 90 % Wilson intervals, retries of one burst counted once. "
        "Hosts without it: same calendar days, the host itself left out." + w.spell_changes(guilty),
    )


def _aligned(rows: pd.DataFrame, during: pd.DataFrame, days: tuple[int, int]) -> pd.DataFrame:
    """Return attempts around each host's first exposure with ``k``, the days since."""
    first = during.loc[during["start"] > n.BEGIN].sort_values("start").groupby("host").first()
    always = set(during.loc[during["start"] == n.BEGIN, "host"])
    kept = rows.merge(first, left_on="host", right_index=True)
    kept = kept.loc[~kept["host"].isin(always) & (kept["time"] < kept["end"])]
    k = np.floor((kept["time"] - kept["start"]).dt.total_seconds() / 86_400)
    kept = kept.assign(k=k.astype("int64"), date=kept["time"].dt.floor("D"))
    return kept.loc[kept["k"].between(*days)]


def _free(rows: pd.DataFrame, during: pd.DataFrame) -> pd.DataFrame:
    """Return attempts of hosts on which the change was not (yet) in effect, by host and day."""
    free = rows.loc[n.phases(rows, during).isin(["before", "never"]).to_numpy()]
    days = free.assign(date=free["time"].dt.floor("D")).groupby(["host", "date"])["symptom"]
    return days.agg(hits="sum", total="size").reset_index()


def _controls(aligned: pd.DataFrame, free: pd.DataFrame) -> pd.DataFrame:
    """Return per ``k`` the failure share of unexposed hosts on the same days, others only."""
    own = aligned.groupby(["host", "k", "date"]).size().rename("weight").reset_index()
    fleet = free.groupby("date")[["hits", "total"]].sum()
    table = own.merge(fleet, left_on="date", right_index=True)
    table = table.merge(free, on=["host", "date"], how="left", suffixes=("", "_own")).fillna(
        {"hits_own": 0, "total_own": 0}
    )
    table = table.assign(
        hits=table["hits"] - table["hits_own"], total=table["total"] - table["total_own"]
    )
    table = table.loc[table["total"] > 0]
    weight = table["weight"] * table["hits"] / table["total"]
    share = weight.groupby(table["k"]).sum() / table.groupby("k")["weight"].sum()
    days = table.drop_duplicates(["k", "date"]).groupby("k")["total"].sum()
    if share.empty:
        return pd.DataFrame(columns=["share", "total", "low", "high"], dtype=np.float64)
    low, high = n.intervals(share.to_numpy(np.float64), days.to_numpy(np.float64))
    return pd.DataFrame({"share": share, "total": days, "low": low, "high": high})


def _draw_aligned(
    ax: Axes, exposed: pd.DataFrame, controls: pd.DataFrame, guilty: Collection[str]
) -> None:
    for table, look, shift, marker in (
        (exposed, c.FAIL, 0.46, "x"),
        (controls, c.OK, 0.54, "o"),
    ):
        x = table.index.to_numpy(dtype=np.float64) + shift
        ax.vlines(x, table["low"], table["high"], color=look.colour, alpha=0.4, linewidth=5)
        ax.plot(x, table["share"], color=look.colour, linewidth=1.5, alpha=0.8)
        ax.scatter(x, table["share"], marker=marker, s=60, linewidth=2.2, color=look.colour)
    _line_end(ax, exposed, f"hosts that got\n{w.name_changes(guilty)}", c.FAIL.colour, 0.46)
    _line_end(ax, controls, "hosts without it,\nsame days", c.OK.colour, 0.54)
    c.percent_axis(ax, "attempts that failed")


def _line_end(ax: Axes, table: pd.DataFrame, text: str, colour: str, shift: float) -> None:
    if table.empty:
        return
    level = float(table["share"].iloc[-1])
    ax.annotate(
        text,
        xy=(float(table.index[-1]) + shift, level),
        xytext=(12, 0),
        textcoords="offset points",
        va="bottom" if level < 0.1 else "center",
        color=colour,
        annotation_clip=False,
    )


def _label_days(ax: Axes, days: tuple[int, int]) -> None:
    low, high = days
    ax.set_xlim(low - 0.1, high + 1.1)
    ax.set_xticks(
        np.arange(low, high + 1) + 0.5, [f"{k:+d}" if k else "0" for k in range(low, high + 1)]
    )
    ax.set_xlabel("days since the change took effect on the host itself (UTC)")
    ax.axvline(0, color=c.EFFECT.colour, linestyle="--", linewidth=1.8)
    ax.annotate(
        "takes effect",
        xy=(0, 1),
        xycoords=("data", "axes fraction"),
        xytext=(3, 4),
        textcoords="offset points",
        fontsize=c.CAPTION_SIZE,
    )


def _count_days(
    ax: Axes, exposed: pd.DataFrame, controls: pd.DataFrame, days: tuple[int, int]
) -> None:
    """Write under each day how many attempts its two shares rest on."""
    index = range(days[0], days[1] + 1)
    rows = {
        "attempts, with": exposed["total"].reindex(index, fill_value=0),
        "without": controls["total"].reindex(index, fill_value=0),
    }
    c.counts_below(ax, [k + 0.5 for k in index], {k: list(v) for k, v in rows.items()}, points=46)


def _pair(table: pd.DataFrame, k: int) -> tuple[int, int]:
    return int(table["hits"].to_dict()[k]), int(table["total"].to_dict()[k])


def _aligned_words(exposed: pd.DataFrame, controls: pd.DataFrame, guilty: Collection[str]) -> str:
    before, after = exposed.loc[exposed.index < 0], exposed.loc[exposed.index >= 0]
    parts = []
    if len(before):
        share = before["hits"].sum() / before["total"].sum()
        parts.append(f"{w.percent(share)} of attempts failed in the days before")
    if len(after):
        share = after["hits"].sum() / after["total"].sum()
        parts.append(f"{w.percent(share)} {'' if before.size else 'of attempts failed '}after")
    line = f"{' and '.join(parts)} {w.name_changes(guilty)} took effect"
    beside = controls.loc[controls.index >= 0]
    if beside.empty:
        return f"{line}; no host without it was in use on the same days"
    weight = beside["total"] / beside["total"].sum()
    return f"{line}; {w.percent(float((beside['share'] * weight).sum()))} on hosts without it on the same days"


# ---------------------------------------------------------------- error codes


@c.styled
def error_codes(  # noqa: PLR0913  # options are keyword-only, with defaults
    attempts: pd.DataFrame,
    exposure: pd.DataFrame,
    *,
    guilty: Collection[str],
    texts: Mapping[str, str] = NO_TEXTS,
    top: int = 5,
    ax: Axes | None = None,
) -> Axes:
    """Draw how attempts ended by failure code, before, during and after exposure.

    Parameters
    ----------
    attempts, exposure
        Tables of `kitlib.schema`.
    guilty
        Labels of the suspected change.
    texts
        What a code means, by code; put under the code.
    top
        Codes shown by name; the others are one bar.

    Notes
    -----
    Shares are of all attempts of the phase (successes too). Hosts never exposed have a bar of
    their own: they are the comparison.
    """
    rows = n.counted(attempts)
    failed = rows.loc[rows["failed"]]
    if failed.empty:
        return c.nothing(ax, f"None of {w.many(len(rows), 'attempt')} failed.")
    phase = n.phases(rows, n.spans(exposure, guilty))
    names = failed["code"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    shown = list(names.index[:top])
    code = rows["code"].where(rows["code"].isin(shown), "other codes").where(rows["failed"], "")
    table = pd.crosstab(code, phase.to_numpy()).drop(index="", errors="ignore")
    order = [*shown, *(["other codes"] if "other codes" in table.index else [])]
    total = phase.value_counts()
    ax = c.canvas(ax, left=3.6 if texts else 1.6, bottom=1.5)
    _draw_codes(ax, table.reindex(order), total)
    ax.set_yticks(range(len(order)), [_code_name(name, texts) for name in order])
    ax.invert_yaxis()
    return c.finish(
        ax,
        title=_code_words(table.reindex(order), total, guilty),
        caption=f"{w.many(len(failed), 'failed attempt')} of {len(rows):,} on "
        f"{w.many(rows['host'].nunique(), 'host')}, "
        f"{w.window(rows['time'].min(), rows['time'].max())}. Share of all attempts of the phase, "
        "count behind it. Phases are each host's own exposure, not calendar days."
        + w.spell_changes(guilty),
    )


PHASES: Final = {
    "never": ("hosts never exposed", "#999999", ""),
    "before": ("before exposure", "#0072B2", ""),
    "during": ("while exposed", "#D55E00", "xx"),
    "after": ("after exposure", "#009E73", "//"),
}


def _draw_codes(ax: Axes, table: pd.DataFrame, total: pd.Series[Any]) -> None:
    shown = [p for p in PHASES if p in total.index]
    height = 0.8 / len(shown)
    for i, phase in enumerate(shown):
        word, colour, hatch = PHASES[phase]
        hits = table[phase] if phase in table else pd.Series(0, index=table.index)
        share = (hits / total[phase]).to_numpy(dtype=np.float64)
        y = np.arange(len(table)) - 0.4 + height * (i + 0.5)
        ax.barh(
            y,
            share,
            height=height * 0.9,
            color="white" if hatch else colour,
            edgecolor=colour,
            hatch=hatch,
            linewidth=1,
            label=f"{word} (n = {total[phase]:,})",
        )
        for where, value, count in zip(y, share, hits, strict=True):
            ax.annotate(
                f"{w.percent(value)}, {count:,}",
                xy=(value, where),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=c.CAPTION_SIZE,
                color=c.INK if count else c.FAINT,
            )
    ax.set_xlim(0, 1.1)
    ax.set_xticks(np.linspace(0, 1, 6), [f"{p} %" for p in range(0, 101, 20)])
    ax.set_xlabel("share of the phase's attempts")
    ax.legend(loc="lower right")


def _code_name(code: str, texts: Mapping[str, str]) -> str:
    if code == "other codes":
        return code
    text = w.plain(texts.get(code, ""), limit=110)
    name = w.plain(code) or "no code"
    return f"{name}\n{w.fold(text, 34)}" if text else name


def _code_words(table: pd.DataFrame, total: pd.Series[Any], guilty: Collection[str]) -> str:
    lead = str(table.index[0])
    if "during" in total.index and "during" in table:
        lead = str(table["during"].drop(index="other codes", errors="ignore").idxmax())
    words = {
        "before": "before",
        "during": f"while {w.name_changes(guilty)} was in effect",
        "after": "after",
    }
    shown = {p: word for p, word in words.items() if p in total.index}
    if not shown:
        shown = {"never": "on hosts never exposed"}
    hits = {p: int(table[p].to_dict()[lead]) if p in table else 0 for p in shown}
    parts = [
        f"{hits[p]:,} of {total[p]:,} {'' if i else 'attempts '}{word}"
        for i, (p, word) in enumerate(shown.items())
    ]
    return f"Code {w.plain(lead) or '(none)'} ended {', '.join(parts)}"
