"""Outages: windows in which all hosts, or all of one site, fail, whatever is installed on them.

A window is found by days and then narrowed to hours. An outage is a cause by itself or lies on top
of another one, so each is given as a window with what it brings to the likelihood and what it
costs: all windows in the evidence were equally likely beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from kitlib.explain.likelihood import SUSCEPTIBLE, fault, fault_rates, own_spells
from kitlib.explain.panel import DAY
from kitlib.stats import Floats, Ints, log_beta_bernoulli, log_mean_exp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitlib.explain.panel import Panel, Rate

AGAIN: Final = 0.15
"""Prior probability of an outage, and of each further one."""

SITE: Final = 0.05
"""Prior probability of an outage of one site; the sites share it equally."""

MOST: Final = 3
"""Outages looked for, at most: more bad windows than this are no outage but a state of affairs."""

STEP: Final = pd.Timedelta(hours=2)
"""Width to which the ends of a window are narrowed; sessions are no closer than this."""

AT_SITE: Final = (0.7, 0.9, 0.99)
"""Shares of the hosts of a site that its outage may bite."""

Mask = npt.NDArray[np.bool_]
_NANOSECONDS: Final = STEP.value


@dataclass(frozen=True, slots=True)
class Outage:
    """A window in which hosts fail together.

    Attributes
    ----------
    start, end
        From (in) and to (out), UTC.
    site
        Name of the site, empty if all hosts are meant.
    hosts
        The hosts it is about, whether it bit them or not.
    """

    start: pd.Timestamp
    end: pd.Timestamp
    site: str
    hosts: frozenset[str]

    def inside(self, table: pd.DataFrame) -> Mask:
        """Mark the rows of a table with host and time that lie in it."""
        time = table["time"]
        within = (time >= self.start) & (time < self.end)
        return (within & table["host"].isin(self.hosts)).to_numpy(dtype=bool)


def inside(outages: Sequence[Outage], table: pd.DataFrame) -> Mask:
    """Mark the rows of a table with host and time that lie in any of the outages."""
    marks = np.zeros(len(table), dtype=bool)
    for outage in outages:
        marks |= outage.inside(table)
    return marks


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """An outage with its weight.

    Attributes
    ----------
    price
        Logarithm of its prior: that there was one, and the window's width against all windows there
        could have been.
    inside
        The episodes inside (of the panel it was found on).
    """

    outage: Outage
    price: float
    inside: Mask

    @property
    def shares(self) -> tuple[float, ...]:
        """Shares of its hosts that it may bite."""
        return AT_SITE if self.outage.site else SUSCEPTIBLE


def find_windows(panel: Panel, own: Floats) -> tuple[Floats, tuple[int, int]]:
    """Log likelihood of an outage of everybody for each window of days; and the best window."""
    k, n = panel.daily()
    days = np.arange(k.shape[1])
    logs = _search(k, n, own, days, days, base=panel.base)
    first, last = (int(x) for x in np.unravel_index(int(logs.argmax()), logs.shape))
    # Days on which nobody tried (a weekend) may lie in the window or not: leave them out.
    bad = np.flatnonzero(k[:, first : last + 1].any(axis=0)) + first
    window = (int(bad[0]), int(bad[-1])) if len(bad) else (first, last)
    return logs[np.triu_indices(len(logs))], window


def _search(  # noqa: PLR0913  # counts, what hosts do by themselves, which windows
    k: Floats,
    n: Floats,
    own: Floats,
    firsts: Ints,
    lasts: Ints,
    *,
    base: Rate,
    shares: tuple[float, ...] = SUSCEPTIBLE,
) -> Floats:
    """Log likelihood of a fault from bin `firsts` (rows) to bin `lasts` (columns), both in it."""
    zero = np.zeros((len(k), 1))
    cum_k = np.concatenate([zero, k.cumsum(axis=1)], axis=1)
    cum_n = np.concatenate([zero, n.cumsum(axis=1)], axis=1)
    k_all, n_all = cum_k[:, -1:], cum_n[:, -1:]
    out = np.full((len(firsts), len(lasts)), -np.inf)
    for row, first in enumerate(firsts):
        usable = lasts >= first
        on_k = cum_k[:, lasts[usable] + 1] - cum_k[:, [first]]
        on_n = cum_n[:, lasts[usable] + 1] - cum_n[:, [first]]
        out[row, usable] = fault(on_k, on_n, k_all, n_all, own[:, None], base=base, shares=shares)
    return out


def find_outages(
    panel: Panel, sites: Mapping[str, frozenset[str]], own: Floats | None = None
) -> list[Found]:
    """Find outages one after the other, each in what the others leave, while they pay.

    Parameters
    ----------
    panel
        The episodes.
    sites
        Hosts of each site, by name; a site is looked at if some of its hosts are in the panel.
    own
        `own_spells` of the panel, if it is known already.

    Returns
    -------
    list of Found
        At most `MOST`, the most telling first; `inside` refers to the panel given.

    Notes
    -----
    Greedy: two outages that only together look like anything are not found.
    """
    found: list[Found] = []
    left = np.ones(len(panel.host), dtype=bool)
    while len(found) < MOST and left.any():
        rest = panel.only(left)
        alone = own_spells(rest) if found or own is None else own
        best = _best(rest, alone, sites)
        if best is None:
            break
        marks = np.zeros(len(panel.host), dtype=bool)
        marks[np.flatnonzero(left)[best.inside]] = True
        brings = best.price + inside_window(rest, best.inside, best.shares)
        if own_spells(rest.only(~best.inside)).sum() + brings <= alone.sum():
            break
        found.append(Found(best.outage, best.price, marks))
        left &= ~marks
    return found


def _best(panel: Panel, own: Floats, sites: Mapping[str, frozenset[str]]) -> Found | None:
    """Return the outage that fits best, of everybody or of one site."""
    everybody = np.ones(len(panel.hosts), dtype=bool)
    groups: list[tuple[str, Mask, float, tuple[float, ...]]] = [
        ("", everybody, float(np.log(AGAIN)), SUSCEPTIBLE)
    ]
    for name, members in sites.items():
        rows = np.isin(panel.hosts, list(members))
        if rows.any() and not rows.all():
            groups.append((name, rows, float(np.log(SITE / len(sites))), AT_SITE))
    found = [_in_group(panel, own, *group) for group in groups]
    usable = [(score, one) for score, one in found if one is not None]
    return max(usable, key=lambda pair: pair[0])[1] if usable else None


def _in_group(  # noqa: PLR0913, PLR0917  # the group's name, hosts, prior and shares belong together
    panel: Panel,
    own: Floats,
    site: str,
    rows: Mask,
    prior: float,
    shares: tuple[float, ...],
) -> tuple[float, Found | None]:
    """Return the best outage of one group of hosts, and its score among all groups."""
    k, n = (counts[rows] for counts in panel.daily())
    if not k.any():
        return -np.inf, None
    days = np.arange(k.shape[1])
    coarse = _search(k, n, own[rows], days, days, base=panel.base, shares=shares)
    first, last = (int(x) for x in np.unravel_index(int(coarse.argmax()), coarse.shape))
    edges = _edges(panel, first, last)
    place = np.searchsorted(edges, panel.time, side="right") - 1
    k, n = (counts[rows] for counts in panel.binned(place, len(edges) - 1))
    firsts, lasts = (_near(edges, panel, day) for day in (first, last))
    fine = _search(k, n, own[rows], firsts, lasts, base=panel.base, shares=shares)
    row, column = (int(x) for x in np.unravel_index(int(fine.argmax()), fine.shape))
    low, high = _tight(k, int(firsts[row]), int(lasts[column]))
    outage = Outage(
        start=pd.Timestamp(edges[low], tz="UTC"),
        end=pd.Timestamp(edges[high + 1], tz="UTC"),
        site=site,
        hosts=frozenset(np.asarray(panel.hosts)[rows].tolist()),
    )
    inside = (panel.time >= edges[low]) & (panel.time < edges[high + 1]) & rows[panel.host]
    price = float(prior + _log_width(fine) - np.log(_windows_in_all(panel)))
    score = price + float(fine.max()) + float(own[~rows].sum())
    return score, Found(outage, price, inside)


def _edges(panel: Panel, first: int, last: int) -> Ints:
    """Bins of a day each, of `STEP` each on and around the first and the last day of a window."""
    start = panel.days[0].value
    count = len(panel.days)
    fine = {day + off for day in (first, last) for off in (-1, 0, 1)}
    edges: list[int] = []
    for day in range(count):
        begin = start + day * DAY
        edges += range(begin, begin + DAY, _NANOSECONDS if day in fine else DAY)
    return np.asarray([*edges, start + count * DAY], dtype=np.int64)


def _near(edges: Ints, panel: Panel, day: int) -> Ints:
    """Return the bins on and around a day."""
    begin = panel.days[0].value + (day - 1) * DAY
    return np.flatnonzero((edges[:-1] >= begin) & (edges[:-1] < begin + 3 * DAY))


def _tight(k: Floats, first: int, last: int) -> tuple[int, int]:
    """Cut a window to its first and last bin with a failure: where nobody failed tells nothing."""
    bad = np.flatnonzero(k[:, first : last + 1].any(axis=0)) + first
    return (int(bad[0]), int(bad[-1])) if len(bad) else (first, last)


def _log_width(fine: Floats) -> float:
    """Logarithm of how many windows fit about as well as the best."""
    return float(np.log(np.exp(fine - fine.max()).sum()))


def _windows_in_all(panel: Panel) -> float:
    bins = len(panel.days) * DAY // _NANOSECONDS
    return bins * (bins + 1) / 2


def inside_window(panel: Panel, inside: Mask, shares: tuple[float, ...]) -> float:
    """Log likelihood of the episodes inside a window, given those outside: bitten, or as usual."""
    k_in, n_in = panel.counts(inside)
    k_out, n_out = panel.counts(~inside)
    usual = log_beta_bernoulli(k_in + k_out, n_in + n_out, *panel.base)
    usual = usual - log_beta_bernoulli(k_out, n_out, *panel.base)
    totals = [
        np.logaddexp(
            np.log(share) + log_beta_bernoulli(k_in, n_in, *rate), np.log1p(-share) + usual
        )[n_in > 0].sum()
        for rate in fault_rates(panel.base)
        for share in shares
    ]
    return float(log_mean_exp(np.asarray(totals)))
