"""What every leg looks at, and the few ways of looking that legs share.

A `Scene` is the episodes with one suspect's mask and spans. `Resamples` draws fleets from the fleet
for the interval of a risk difference. `even_samples` gives each host as many episodes with the
change as without it, which is what makes an exact sign test fair. This file judges nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from kitlib.stats import Floats, Ints, quantile_interval, sign_test, stratified_difference
from kitlib.suspects import in_effect

if TYPE_CHECKING:
    from kitlib.explain import Panel

Mask = npt.NDArray[np.bool_]

ALPHA: Final = 0.05
"""A leg passes where chance would do as well less often than this."""

MIN_SIDE: Final = 2
"""Hosts that each side of a comparison must have: one control is an anecdote."""

RESAMPLES: Final = 400
"""Resamples of hosts behind the interval of a risk difference."""

SEED: Final = 20220111
SHOWN: Final = 12
"""Record ids shown with a check, at most."""

TOO_FEW: Final = "too few hosts for the test to pass whatever they show"


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What every leg looks at: episodes, their panel, and the suspect's mask and spans."""

    episodes: pd.DataFrame
    panel: Panel
    mask: Mask
    spans: pd.DataFrame

    @property
    def failed(self) -> Mask:
        """Mark the episodes that failed with the symptom."""
        return self.panel.failed

    def rates(self) -> pd.DataFrame:
        """Per host failures and episodes while exposed (k1, n1) and while not (k0, n0)."""
        k1, n1 = self.panel.counts(self.mask)
        k0, n0 = self.panel.counts(~self.mask)
        return pd.DataFrame({"k1": k1, "n1": n1, "k0": k0, "n0": n0}, index=list(self.panel.hosts))

    def states(self) -> Mask:
        """Tell whether the change is in effect at noon (UTC) of each day; hosts by days."""
        hosts, days = self.panel.hosts, self.panel.days
        grid = pd.DataFrame(
            {
                "host": np.repeat(np.asarray(hosts, dtype=object), len(days)),
                "time": np.tile(days + pd.Timedelta(hours=12), len(hosts)),
            }
        )
        return in_effect(self.spans, grid).reshape(len(hosts), len(days))

    def records(self, mask: Mask) -> tuple[str, ...]:
        """Record ids of episodes in `mask`: at most one record a host, a sample of the rest."""
        chosen = self.episodes[mask].drop_duplicates("host").head(SHOWN)
        return tuple(records[-1] for records in chosen["records"])

    def moment(self, by_host: pd.Series[pd.Timestamp]) -> pd.Series[pd.Timestamp]:
        """Look up each episode's host; NaT where it has none (pandas cannot map an empty table)."""
        found = by_host.reindex(self.episodes["host"])
        return pd.Series(pd.DatetimeIndex(found, tz="UTC"), index=self.episodes.index)


@dataclass(frozen=True, slots=True, eq=False)
class Resamples:
    """Fleets drawn from the fleet, hosts with replacement; drawn once for all suspects."""

    panel: Panel
    draws: Floats
    k: Floats
    n: Floats

    @classmethod
    def of(cls, panel: Panel) -> Resamples:
        """Draw `RESAMPLES` fleets; the same evidence gives the same draws."""
        draws = drawn_fleets(len(panel.hosts))
        k, n = panel.daily()
        return cls(panel, draws, draws @ k, draws @ n)

    def risk_difference(self, mask: Mask) -> tuple[float, float, float]:
        """Failure rate of exposed minus not exposed on the same days, with its 90 % interval.

        The interval resamples hosts, not episodes. (nan, nan, nan) where no day has both kinds.
        """
        k, n = self.panel.daily()
        k1, n1 = self.panel.daily(mask)
        sums = (k1.sum(axis=0), n1.sum(axis=0))
        point = float(
            stratified_difference(*sums, k.sum(axis=0) - sums[0], n.sum(axis=0) - sums[1])
        )
        some = n1.any(axis=1)  # the rest add nothing to the exposed side
        on_k, on_n = self.draws[:, some] @ k1[some], self.draws[:, some] @ n1[some]
        samples = stratified_difference(on_k, on_n, self.k - on_k, self.n - on_n)
        return (point, *quantile_interval(samples))


def drawn_fleets(hosts: int) -> Floats:
    """How often each host (columns) is in each of `RESAMPLES` fleets drawn with replacement."""
    rng = np.random.default_rng(SEED)
    return rng.multinomial(hosts, np.full(hosts, 1 / hosts), size=RESAMPLES).astype(float)


def even_samples(panel: Panel, on: Mask, off: Mask) -> tuple[Mask, Mask]:
    """Thin both sides of each host to the smaller one, evenly over time.

    Notes
    -----
    With unequal numbers the longer side has more chances to hold a rare failure, and the sign of a
    host's difference is not a fair coin even where nothing happened. With equal numbers it is.
    """
    size = len(panel.hosts)
    keep = np.minimum(*(np.bincount(panel.host[side], minlength=size) for side in (on, off)))
    return _thinned(panel, on, keep), _thinned(panel, off, keep)


def _thinned(panel: Panel, side: Mask, keep: Ints) -> Mask:
    rows = np.flatnonzero(side)
    rows = rows[np.lexsort((panel.time[rows], panel.host[rows]))]
    host = panel.host[rows]
    count = np.bincount(host, minlength=len(keep))
    place = np.arange(len(rows)) - (np.cumsum(count) - count)[host]
    chosen = (place + 1) * keep[host] // count[host] > place * keep[host] // count[host]
    out = np.zeros(len(side), dtype=bool)
    out[rows[chosen]] = True
    return out


def signs(panel: Panel, on: Mask, off: Mask) -> Ints:
    """Tell for each host whether it fails more (1) or less (-1) often `on` than `off`; else 0."""
    even_on, even_off = even_samples(panel, on, off)
    return np.sign(panel.counts(even_on)[0] - panel.counts(even_off)[0]).astype(np.int64)


def can_pass(hosts: int) -> bool:
    """Tell whether a sign test over that many hosts can pass at all."""
    return sign_test(hosts, 0) < ALPHA


def share(k: float, n: float) -> str:
    """Write a rate as what it is made of."""
    return f"{int(k)} of {int(n)}"
