"""The independent legs a causal claim stands on, each a `Check` that is shown.

A leg looks at the same episodes from one side only: other hosts on the same days, the host's own
past, dates on which nothing happened, the way back, the kind of error. A leg that this evidence
cannot test says so (``passed`` is None); it does not count as passed. This file computes legs; the
verdict is made elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from kitlib.claims import Check
from kitlib.stats import Floats, quantile_interval, sign_test, stratified_difference
from kitlib.suspects import in_effect

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kitlib.explain import Panel

ALPHA: Final = 0.05
"""A leg passes where chance would do as well less often than this."""

MIN_SIDE: Final = 2
"""Hosts that each side of a comparison must have: one control is an anecdote."""

RESAMPLES: Final = 400
"""Resamples of hosts behind the interval of a risk difference."""

PERMUTATIONS: Final = 999
"""Deals of exposure histories behind a permutation p; it cannot fall below 1 in 1 more than this."""

SEED: Final = 20220111
SHOWN: Final = 12
"""Record ids shown with a check, at most."""

PLACEBO_LAGS: Final = (7, 14, 21)
"""Days before the change at which a step is looked for that must not be there."""

PLACEBO_LIMIT: Final = 0.10
"""A step this small before anything was installed counts as none."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What every leg looks at: episodes, their panel, and the suspect's mask and spans."""

    episodes: pd.DataFrame
    panel: Panel
    mask: npt.NDArray[np.bool_]
    spans: pd.DataFrame

    @property
    def failed(self) -> npt.NDArray[np.bool_]:
        """Mark the episodes that failed with the symptom."""
        return self.panel.failed

    def rates(self) -> pd.DataFrame:
        """Per host failures and episodes while exposed (k1, n1) and while not (k0, n0)."""
        k1, n1 = self.panel.counts(self.mask)
        k0, n0 = self.panel.counts(~self.mask)
        return pd.DataFrame({"k1": k1, "n1": n1, "k0": k0, "n0": n0}, index=list(self.panel.hosts))

    def records(self, mask: npt.NDArray[np.bool_]) -> tuple[str, ...]:
        """Record ids of episodes in `mask`: at most one record a host, a sample of the rest."""
        chosen = self.episodes[mask].drop_duplicates("host").head(SHOWN)
        return tuple(records[-1] for records in chosen["records"])


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
        hosts = len(panel.hosts)
        rng = np.random.default_rng(SEED)
        draws = rng.multinomial(hosts, np.full(hosts, 1 / hosts), size=RESAMPLES).astype(float)
        k, n = panel.daily()
        return cls(panel, draws, draws @ k, draws @ n)

    def risk_difference(self, mask: npt.NDArray[np.bool_]) -> tuple[float, float, float]:
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


def same_day_controls(scene: Scene) -> Check:
    """Exposed hosts against hosts without the change on the same days; hosts permuted."""
    name = "same-day controls"
    difference = Resamples.of(scene.panel).risk_difference(scene.mask)
    k1, n1 = scene.panel.daily(scene.mask)
    k0, n0 = scene.panel.daily(~scene.mask)
    shared = (n1.sum(axis=0) > 0) & (n0.sum(axis=0) > 0)
    exposed, controls = (int((n[:, shared].sum(axis=1) > 0).sum()) for n in (n1, n0))
    if not shared.any() or np.isnan(difference[0]):
        return Check(name, None, "no day has attempts of hosts with and without the change")
    if min(exposed, controls) < MIN_SIDE:
        text = (
            f"only {exposed} hosts with the change and {controls} without it tried on the same "
            f"days; {MIN_SIDE} of each are the least that can be compared"
        )
        return Check(name, None, text)
    p = permuted(scene)
    text = (
        f"on {int(shared.sum())} days with both, {exposed} exposed hosts fail in "
        f"{_share(k1[:, shared].sum(), n1[:, shared].sum())} of their episodes, {controls} hosts "
        f"without the change in {_share(k0[:, shared].sum(), n0[:, shared].sum())}; difference "
        f"{difference[0]:+.2f} (90 %: {difference[1]:+.2f} to {difference[2]:+.2f}), "
        f"permutation p = {p:.3f}"
    )
    days = np.flatnonzero(shared)
    both = np.isin(scene.panel.day, days)
    records = scene.records(both & scene.mask & scene.failed) + scene.records(
        both & ~scene.mask & ~scene.failed
    )
    return Check(name, bool(difference[1] > 0 and p < ALPHA), text, records)


def permuted(scene: Scene) -> float:
    """One-sided p of the same-day difference when histories of exposure are dealt out anew.

    Notes
    -----
    A host's state is taken at noon of each day. Assumes that which host got which history is
    exchangeable; fails where the rollout followed something that matters (the ill first).
    """
    k, n = scene.panel.daily()
    grid = pd.DataFrame(
        {
            "host": np.repeat(scene.panel.hosts, len(scene.panel.days)),
            "time": np.tile(scene.panel.days + pd.Timedelta(hours=12), len(scene.panel.hosts)),
        }
    )
    exposed = in_effect(scene.spans, grid).reshape(n.shape).astype(float)
    rng = np.random.default_rng(SEED)
    deals = [np.arange(len(exposed))]
    deals += [rng.permutation(len(exposed)) for _ in range(PERMUTATIONS)]
    k1 = np.empty((len(deals), k.shape[1]))
    n1 = np.empty_like(k1)
    for place, deal in enumerate(deals):
        state = exposed[deal]
        k1[place] = np.einsum("hd,hd->d", k, state)
        n1[place] = np.einsum("hd,hd->d", n, state)
    values = stratified_difference(k1, n1, k.sum(axis=0) - k1, n.sum(axis=0) - n1)
    # The observed deal counts itself; rounding must not turn an equal one into a smaller one.
    return float((values >= values[0] - 1e-12).mean())


def own_past(scene: Scene) -> Check:
    """Each host against itself: with the change against without it, sign test over hosts."""
    rates = scene.rates()
    both = rates[(rates["n1"] > 0) & (rates["n0"] > 0)]
    if both.empty:
        return Check("own past", None, "no host was seen both with and without the change")
    step = both["k1"] / both["n1"] - both["k0"] / both["n0"]
    worse, better = int((step > 0).sum()), int((step < 0).sum())
    p = sign_test(worse, better)
    text = (
        f"of {len(both)} hosts seen with and without the change, {worse} fail more often with it, "
        f"{better} less often; median step {step.median():+.2f}, exact sign test p = {p:.3g}"
    )
    hit = rates.index.isin(both.index[step > 0])[scene.panel.host]
    return Check("own past", bool(p < ALPHA), text, scene.records(hit & scene.mask & scene.failed))


def placebo_dates(scene: Scene) -> Check:
    """Look for the same before/after step at dates on which the change was not yet there."""
    start = _moment(scene, scene.spans.groupby("host")["start"].min())
    before = (scene.episodes["time"] < start).to_numpy()
    steps = []
    for lag in PLACEBO_LAGS:
        after = before & (scene.episodes["time"] >= start - pd.Timedelta(days=lag)).to_numpy()
        k1, n1 = scene.panel.counts(after)
        k0, n0 = scene.panel.counts(before & ~after)
        usable = (n1 > 0) & (n0 > 0)
        steps += list(k1[usable] / n1[usable] - k0[usable] / n0[usable])
    if not steps:
        return Check("placebo dates", None, "no host has attempts long enough before the change")
    mean = float(np.mean(steps))
    text = (
        f"moved {', '.join(map(str, PLACEBO_LAGS))} days early, the step is {mean:+.2f} over "
        f"{len(steps)} comparisons (a real cause shows none, limit ±{PLACEBO_LIMIT:.2f})"
    )
    return Check("placebo dates", abs(mean) <= PLACEBO_LIMIT, text, scene.records(before))


def onset_alignment(scene: Scene) -> Check:
    """Whether failures begin with each host's own exposure rather than on one calendar day."""
    start = _moment(scene, scene.spans.groupby("host")["start"].min())
    at_start = (scene.episodes["time"] >= start).to_numpy()
    rows = scene.episodes[["host", "time"]].assign(failed=scene.failed, after=at_start)
    rows = rows[start.notna()].sort_values("time", kind="stable")
    failing = rows.groupby("host")["failed"].transform("any").astype(bool)
    rows = rows[failing]
    if rows.empty:
        return Check("onset aligned on exposure", None, "no failing host has a dated exposure")
    hosts = rows["host"].nunique()
    clean = hosts - rows.loc[~rows["after"] & rows["failed"], "host"].nunique()
    at_once = int(rows[rows["after"]].groupby("host")["failed"].first().sum())
    days = scene.spans["start"].dropna().dt.floor("D").nunique()
    text = (
        f"of {hosts} failing hosts with a dated exposure, {at_once} fail in their very first "
        f"episode after it and {clean} never failed so before it; exposures spread over "
        f"{days} days"
    )
    first = scene.records(scene.mask & scene.failed)
    return Check("onset aligned on exposure", 2 * at_once > hosts, text, first)


def reversal(scene: Scene) -> Check:
    """Follow the way back: hosts on which the change went out of effect, sign test over hosts."""
    end = _moment(scene, scene.spans.groupby("host")["end"].min())
    after = (scene.episodes["time"] >= end).to_numpy() & ~scene.mask
    k1, n1 = scene.panel.counts(scene.mask)
    k2, n2 = scene.panel.counts(after)
    both = (n1 > 0) & (n2 > 0) & (k1 > 0)
    if not both.any():
        return Check("reversal", None, "no failing host was seen after the change was gone")
    drop = k1[both] / n1[both] - k2[both] / n2[both]
    better, worse = int((drop > 0).sum()), int((drop < 0).sum())
    p = sign_test(better, worse)
    text = (
        f"of {int(both.sum())} failing hosts seen after the change was gone, {better} fail less "
        f"often then, {worse} more often; exact sign test p = {p:.3g}"
    )
    enough = sign_test(int(both.sum()), 0) < ALPHA
    if not enough:
        text += ": too few hosts for the test to pass whatever they show"
    passed = p < ALPHA if enough else None
    return Check("reversal", passed, text, scene.records(after & ~scene.failed))


def _moment(scene: Scene, by_host: pd.Series[pd.Timestamp]) -> pd.Series[pd.Timestamp]:
    """Look up each episode's host; NaT where it has none (pandas cannot map an empty table)."""
    found = by_host.reindex(scene.episodes["host"])
    return pd.Series(pd.DatetimeIndex(found, tz="UTC"), index=scene.episodes.index)


def signature(attempts: pd.DataFrame, codes: Iterable[str], exposed: pd.Series[bool]) -> Check:
    """Whether the symptom's code belongs to the exposed time, not just more failures of any kind."""
    wanted = set(codes)
    failures = attempts[attempts["outcome"] == "failure"]
    inside = exposed.loc[failures.index]
    if not wanted or failures.empty or not inside.any():
        return Check(
            "signature", None, "the profile names no code, or nothing failed while exposed"
        )
    hit = failures["code"].isin(wanted)
    during, outside = float(hit[inside].mean()), int((hit & ~inside).sum())
    text = (
        f"code {', '.join(sorted(wanted))} is {during:.0%} of the failures while exposed "
        f"({int((hit & inside).sum())} of {int(inside.sum())}); outside it occurs {outside} times "
        f"among {int((~inside).sum())} failures"
    )
    refs = failures[hit & inside].drop_duplicates("host").head(SHOWN)["records"]
    passed = bool(during > 0.5 and outside <= (hit & inside).sum() / 10)
    return Check("signature", passed, text, tuple(records[-1] for records in refs))


def _share(k: float, n: float) -> str:
    return f"{int(k)} of {int(n)}"
