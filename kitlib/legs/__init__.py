"""The independent legs a causal claim stands on, each a `Check` that is shown.

A leg looks at the same episodes from one side only: other hosts on the same days, other changes,
the host's own past, dates on which nothing happened, the way back, the dose, the kind of error,
what still works. A leg that this evidence cannot test says so (``passed`` is None); it does not
count as passed. Hosts are the unit everywhere: permutations deal out what whole hosts went through,
sign tests count each host once, intervals resample hosts. This room computes legs; the verdict is
made elsewhere.

`scene` is what every leg looks at, `deals` permutes. `controls`: same-day controls and placebo
changes. `past`: own past and placebo dates. `onset`, `reversal`, `dose`: as named. `codes`:
signature and what failures are about. `successes`: more failures or only more logging.
"""

from __future__ import annotations

from kitlib.legs.codes import code_class, signature
from kitlib.legs.controls import branches, permuted, placebo_changes, same_day_controls
from kitlib.legs.deals import EXACT_DEALS, PERMUTATIONS, Deals, deal
from kitlib.legs.dose import dose
from kitlib.legs.onset import beginnings, onset_alignment
from kitlib.legs.past import PLACEBO_LAGS, PLACEBO_LIMIT, own_past, placebo_dates
from kitlib.legs.reversal import reversal
from kitlib.legs.scene import ALPHA, MIN_SIDE, RESAMPLES, SEED, SHOWN, Resamples, Scene
from kitlib.legs.successes import (
    fewer_successes,
    hardly_fewer_successes,
    only_more_failures,
)

__all__ = [
    "ALPHA",
    "EXACT_DEALS",
    "MIN_SIDE",
    "PERMUTATIONS",
    "PLACEBO_LAGS",
    "PLACEBO_LIMIT",
    "RESAMPLES",
    "SEED",
    "SHOWN",
    "Deals",
    "Resamples",
    "Scene",
    "beginnings",
    "branches",
    "code_class",
    "deal",
    "dose",
    "fewer_successes",
    "hardly_fewer_successes",
    "only_more_failures",
    "onset_alignment",
    "own_past",
    "permuted",
    "placebo_changes",
    "placebo_dates",
    "reversal",
    "same_day_controls",
    "signature",
]
