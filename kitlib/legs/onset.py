"""Whether failures begin with each host's own exposure or on one day of the calendar.

For every host its worst stretch of failures is found without a look at its exposure. Dates of
exposure are then dealt out anew among the failing hosts: the true dates must fit the beginnings
better than the dealt ones. A delay between exposure and failure is allowed if it is the same for
all. A rollout in one night cannot tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from kitlib.claims import Check
from kitlib.legs.deals import Deals, deal
from kitlib.legs.scene import ALPHA, TOO_FEW, Mask, Scene

if TYPE_CHECKING:
    from kitlib.stats import Floats, Ints

DAY: Final = 86_400_000_000_000
"""Nanoseconds."""

DELAY_STEP: Final = 0.25
"""Days between the delays that are tried."""

MAX_DELAY: Final = 21.0
"""Longest delay, in days, that is tried."""

USUAL: Final = 0.05
"""Failure rate outside a stretch of failures."""

INSIDE: Final = (0.9, 0.3)
"""Failure rates inside it that are tried: nearly always, now and then. The better one counts."""

SLACK: Final = 1.2
"""Log likelihood that an earlier beginning may lose: successes before the first failure do not
show that an intermittent fault was not there yet."""

MIN_EXTRA: Final = 0.1
"""Share of the hosts by which the true dates must do better than the dealt ones, on average."""

MIN_GAIN: Final = 3.0
"""Log likelihood ratio (about 20) that a stretch must reach: more than one failure."""


@dataclass(frozen=True, slots=True, eq=False)
class Beginnings:
    """Worst stretch of each host that has one: between `low` and `high` the failures began.

    Attributes
    ----------
    host
        Number in the panel.
    low, high
        Last episode before which the stretch cannot well have begun, and first failure of it, in
        days since 1970; `low` is -inf where the host has no such episode.
    """

    host: Ints
    low: Floats
    high: Floats


def onset_alignment(scene: Scene) -> Check:
    """Whether failures begin with each host's own exposure rather than on one calendar day.

    Notes
    -----
    The statistic is the number of hosts whose failures begin at their exposure plus one delay, the
    same for all and the best for that number; it is found anew for every deal of the dates, so
    looking for it costs nothing. Assumes that which failing host was exposed when does not matter
    to when it would fail. Fails where each host has a delay of its own or the fault is
    intermittent, since the first failures then come late: False is a weak objection there. Dates of
    one night (from noon to noon UTC) count as one.
    """
    name = "onset aligned on exposure"
    found = beginnings(scene)
    starts = scene.spans.groupby("host")["start"]
    dated = starts.min()[starts.count() == starts.size()].dropna()  # all of them are known
    names = np.asarray(scene.panel.hosts, dtype=object)[found.host]
    keep = np.isin(names, dated.index.to_numpy(dtype=object))
    if not keep.any():
        return Check(name, None, "no failing host has a dated exposure")
    found = Beginnings(found.host[keep], found.low[keep], found.high[keep])
    start = dated.loc[names[keep]].astype("datetime64[ns, UTC]").astype("int64").to_numpy() / DAY
    return _compared(scene, found, start)


def _compared(scene: Scene, found: Beginnings, start: Floats) -> Check:
    name = "onset aligned on exposure"
    nights, night = np.unique(np.floor(start - 0.5), return_inverse=True)
    values, number = np.unique(start, return_inverse=True)
    deals = deal(number.reshape(-1))
    counts, delay = aligned(deals, values, found)
    hosts = len(start)
    text = (
        f"of {hosts} failing hosts with a dated exposure, {int(counts[0])} begin to fail "
        f"{_after(delay)}; exposures spread over {len(nights)} nights"
    )
    records = scene.records(scene.mask & scene.failed)
    if not deal(night.reshape(-1)).can_pass:
        why = "all in one night cannot tell exposure from calendar" if len(nights) == 1 else TOO_FEW
        return Check(name, None, f"{text}: {why}", records)
    p = deals.p(counts)
    text += (
        f"; with dates dealt out among them {counts[1:].mean():.1f} would, p = {p:.3f} ({deals})"
    )
    extra = (counts[0] - counts[1:].mean()) / hosts
    if p >= ALPHA and extra >= MIN_EXTRA:
        return Check(name, None, f"{text}: it points that way, but chance may do so too", records)
    return Check(name, bool(p < ALPHA and extra >= MIN_EXTRA), text, records)


def _after(delay: float) -> str:
    return "right at their own exposure" if delay == 0 else f"{delay:g} days after their own"


def aligned(deals: Deals, starts: Floats, found: Beginnings) -> tuple[Floats, float]:
    """Count the hosts that begin to fail at exposure plus the best common delay, for each deal.

    `deals` hold numbers into `starts` (days since 1970). Also returns the delay, in days, that is
    best for the observed deal.
    """
    tried = np.arange(0, MAX_DELAY + DELAY_STEP / 2, DELAY_STEP)
    size = len(tried) + 1
    counts = np.empty(len(deals.kinds))
    delay = 0.0
    for place, kinds in enumerate(deals.kinds):
        # Delays of each host that fit: above `low`, not above `high`.
        first = np.searchsorted(tried, found.low - starts[kinds], side="right")
        last = np.searchsorted(tried, found.high - starts[kinds], side="right")
        steps = np.bincount(first, minlength=size) - np.bincount(last, minlength=size)
        fits = steps.cumsum()[:-1]
        counts[place] = fits.max()
        if place == 0:
            delay = float(tried[fits.argmax()])
    return counts, delay


def beginnings(scene: Scene) -> Beginnings:
    """Find each host's stretch of episodes that a high failure rate fits best, if there is one.

    It is the run of consecutive episodes with the largest sum of log likelihood ratios, of a rate
    of `INSIDE` against `USUAL`.
    """
    panel = scene.panel
    order = np.lexsort((panel.time, panel.host))
    host, failed = panel.host[order], panel.failed[order]
    time = panel.time[order] / DAY
    runs = [_best_runs(host, failed, rate) for rate in INSIDE]
    place = np.argmax([gain for gain, _ in runs], axis=0)
    gain, first = (
        np.take_along_axis(np.asarray(column), place[np.newaxis], axis=0)[0]
        for column in zip(*runs, strict=True)
    )
    lead = np.asarray([int(SLACK / -_ratios(rate)[0]) + 1 for rate in INSIDE])[place]
    number = np.flatnonzero(gain >= MIN_GAIN)
    first = first[number].astype(np.int64)
    before = first - lead[number]
    same = (before >= 0) & (host[before] == host[first])
    low = np.where(same, time[before], -np.inf)
    return Beginnings(host[first].astype(np.int64), low, time[first])


def _ratios(rate: float) -> Floats:
    """Log likelihood ratio of a success and of a failure."""
    return np.log([(1 - rate) / (1 - USUAL), rate / USUAL])


def _best_runs(host: Ints, failed: Mask, rate: float) -> tuple[Floats, Ints]:
    """Largest sum of a run of each host, and the row at which that run begins."""
    score = _ratios(rate)[failed.astype(np.int64)]
    table = pd.DataFrame({"host": host, "sum": pd.Series(score).groupby(host).cumsum()})
    table["before"] = table["sum"].to_numpy() - score
    table["floor"] = table.groupby("host")["before"].cummin()
    gain = table["sum"] - table["floor"]
    end = gain.groupby(host).idxmax().to_numpy()
    return gain.to_numpy()[end], _last_at_floor(table)[end]


def _last_at_floor(table: pd.DataFrame) -> Ints:
    """For each row the latest row, up to it, at which the sum before was at its floor."""
    at: Mask = (table["before"] == table["floor"]).to_numpy()
    return np.maximum.accumulate(np.where(at, np.arange(len(table)), 0)).astype(np.int64)
