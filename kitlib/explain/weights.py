"""Put the explanations side by side: probabilities over everything that was considered.

Each change, and "no common cause", is weighed with and without the outages that stand out
(`kitlib.explain.outages`); the trend is weighed by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from kitlib.explain.likelihood import by_change, by_change_until, fault, own_spells, trend, unsteady
from kitlib.explain.outages import (
    AGAIN,
    Found,
    Outage,
    find_outages,
    find_windows,
    inside_window,
)
from kitlib.stats import Floats, log_mean_exp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from kitlib.explain.panel import Panel
    from kitlib.suspects import Suspect

PRIOR: Final = {"nothing": 0.25, "outage": 0.15, "trend": 0.05, "unsteady": 0.05, "change": 0.5}
"""Prior of each kind of explanation; the suspects share theirs equally."""

LED: Final = 3
"""Changes, the best by themselves, whose own remainder is searched for outages."""

ASKED: Final = 20_000
"""Hosts times changes that are weighed on top of outages and with an end for all; where there are
more, the changes that promise most are taken."""

LEAST_ASKED: Final = 6

ENDED: Final = 0.15
"""Prior probability that something outside the builds ended the effect of a change for all."""

NOWHERE: Final[Mapping[str, frozenset[str]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """How well each explanation does.

    Attributes
    ----------
    nothing, shared_outage, site_outage, trend, unsteady
        Posterior probabilities of no common cause, of an outage of everybody, of outages of sites
        alone, of a rate of everybody that rises or falls steadily, or changes from week to week.
    changes
        Posterior probability of each suspect, in their order.
    best_mask
        For each suspect the row of its masks that fits best.
    fit
        Log likelihood of each suspect at its best mask, with the outages it goes best with. What
        cannot be told apart is decided on this: a suspect whose cure is unknown has many masks and
        must not lose for that alone.
    alone, alone_mask
        The same without any outage and biting at once, and the row of its masks that fits so.
    outage_fit
        Log likelihood of a shared outage at its best window of days, without a change.
    outage_days
        That window: first and last day number.
    outages
        Outages that explain most where no change is to blame.
    aside
        For each suspect the outages on top of which it fits best; empty where it needs none.
    over
        For each suspect when its effect ended for everybody by something outside the builds, if it
        fits best so; UTC.
    """

    nothing: float
    shared_outage: float
    site_outage: float
    trend: float
    unsteady: float
    changes: Floats
    best_mask: tuple[int, ...]
    fit: Floats
    alone: Floats
    alone_mask: tuple[int, ...]
    outage_fit: float
    outage_days: tuple[int, int]
    outages: tuple[Outage, ...]
    aside: tuple[tuple[Outage, ...], ...]
    over: tuple[pd.Timestamp | None, ...]

    @property
    def no_change(self) -> float:
        """Probability that no change is to blame."""
        return self.nothing + self.shared_outage + self.site_outage + self.trend + self.unsteady

    def at_once(self) -> Weights:
        """Return the same with every change by itself, beside the outage that fits best.

        For the question whether the two can be told apart at all, before priors are asked: half of
        the probability goes to the changes.
        """
        share = np.exp(self.alone - self.alone.max())
        return replace(
            self,
            changes=share / share.sum() / 2,
            best_mask=self.alone_mask,
            fit=self.alone,
            aside=((),) * len(self.alone),
            over=(None,) * len(self.alone),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Setting:
    """The outages that are taken to have happened, and what is left of the data outside them."""

    found: tuple[Found, ...]
    log: float  # prior of the outages times the likelihood of what lies inside
    outside: npt.NDArray[np.bool_]
    panel: Panel
    own: Floats

    @property
    def outages(self) -> tuple[Outage, ...]:
        """The outages themselves."""
        return tuple(one.outage for one in self.found)

    @property
    def nothing(self) -> float:
        """Log likelihood if hosts did as usual outside."""
        return self.log + float(self.own.sum())


def weigh(
    panel: Panel, suspects: Sequence[Suspect], sites: Mapping[str, frozenset[str]] = NOWHERE
) -> Weights:
    """Weigh every explanation against the others.

    Parameters
    ----------
    panel
        The episodes; at least one.
    suspects
        From `kitlib.suspects.find_suspects`, masks over the same episodes.
    sites
        Hosts by site, where the evidence knows sites.

    Returns
    -------
    Weights
        Probabilities that sum to 1 over all explanations considered.

    Notes
    -----
    Assumes that at most one change is at work, on top of at most three outages, and that hosts are
    independent given these. Fails when the true cause is not among the explanations: the best of
    them then gets too much credit.
    """
    plain = _Setting((), 0.0, np.ones(len(panel.host), dtype=bool), panel, own_spells(panel))
    windows, window = find_windows(panel, plain.own)
    courses = [by_change(panel, suspect.masks, plain.own) for suspect in suspects]
    settings = [plain, *_settings(panel, sites, suspects, courses, plain)]
    lone = [_at_once(panel, suspect, plain.own) for suspect in suspects]
    asked = _asked(panel, suspects, courses)
    fates = [
        _weigh_change(suspect, courses[place], settings, asked=place in asked)
        for place, suspect in enumerate(suspects)
    ]
    common = [s.nothing + np.log(PRIOR["outage"] / AGAIN) for s in settings[1:]]
    at_site = [all(outage.site for outage in s.outages) for s in settings[1:]]
    share = np.log(PRIOR["change"] / max(len(suspects), 1))
    values = np.asarray(
        [
            np.log(PRIOR["nothing"]) + plain.nothing,
            np.log(PRIOR["outage"]) + log_mean_exp(windows),
            *common,
            np.log(PRIOR["trend"]) + trend(panel, plain.own),
            np.log(PRIOR["unsteady"]) + unsteady(panel, plain.own),
            *(share + fate.log for fate in fates),
        ]
    )
    posterior = np.exp(values - values.max())
    posterior /= posterior.sum()
    outage = posterior[1 : 2 + len(common)]
    site = float(outage[1:][at_site].sum()) if common else 0.0
    return Weights(
        nothing=float(posterior[0]),
        shared_outage=float(outage.sum()) - site,
        site_outage=site,
        trend=float(posterior[2 + len(common)]),
        unsteady=float(posterior[3 + len(common)]),
        changes=posterior[4 + len(common) :],
        best_mask=tuple(fate.course for fate in fates),
        fit=np.asarray([fate.fit for fate in fates], dtype=float),
        alone=np.asarray([logs.max() for logs in lone], dtype=float),
        alone_mask=tuple(int(logs.argmax()) for logs in lone),
        outage_fit=float(windows.max()),
        outage_days=window,
        outages=max(settings[1:], key=lambda s: s.nothing).outages if common else (),
        aside=tuple(fate.outages for fate in fates),
        over=tuple(fate.over for fate in fates),
    )


def _asked(panel: Panel, suspects: Sequence[Suspect], courses: Sequence[Floats]) -> set[int]:
    """Choose the changes whose circumstances are weighed: in a small fleet all of them.

    Else those that fit best by themselves, and those with most failing hosts: one that bit only for
    a while fits badly until that is weighed.
    """
    size = max(LEAST_ASKED, ASKED // max(len(panel.hosts), 1))
    if len(suspects) <= size:
        return set(range(len(suspects)))
    failing = [
        len(np.unique(panel.host[suspect.masks.any(axis=0) & panel.failed])) for suspect in suspects
    ]
    by_fit = sorted(range(len(suspects)), key=lambda s: -float(courses[s].max()))
    by_hosts = sorted(range(len(suspects)), key=lambda s: -failing[s])
    return {*by_fit[: size // 2], *by_hosts[: size // 2]}


def _at_once(panel: Panel, suspect: Suspect, own: Floats) -> Floats:
    """Log likelihood of each course of a change that bites at once: as of an outage's window."""
    everything = panel.counts(np.ones(len(panel.host), dtype=bool))
    return np.asarray(
        [float(fault(*panel.counts(mask), *everything, own)) for mask in suspect.masks]
    )


@dataclass(frozen=True, slots=True)
class _Fate:
    """How a change does, over all its courses, with and without outages and an end for all."""

    log: float  # prior of its circumstances times likelihood, summed over them
    fit: float  # log likelihood in the best of them
    course: int
    outages: tuple[Outage, ...]
    over: pd.Timestamp | None


def _weigh_change(
    suspect: Suspect, courses: Floats, settings: Sequence[_Setting], *, asked: bool
) -> _Fate:
    """Weigh one change; only those that are `asked` need the circumstances, the others have lost."""
    goes_on = float(np.log(1 - AGAIN) + np.log(1 - ENDED))
    best = int(courses.argmax())
    plain = _Fate(goes_on + float(log_mean_exp(courses)), float(courses.max()), best, (), None)
    if not asked:
        return plain
    fates = [plain, *_ends(suspect, best, settings[0], float(np.log(1 - AGAIN)))]
    for setting in settings[1:]:
        if not _told_apart(setting, settings[0].panel, suspect.masks[best]):
            continue
        masks = suspect.masks[:, setting.outside]
        logs = setting.log + by_change(setting.panel, masks, setting.own)
        prior, course = float(np.log(1 - ENDED)), int(logs.argmax())
        log = prior + float(log_mean_exp(logs))
        fates.append(_Fate(log, float(logs.max()), course, setting.outages, None))
        fates += _ends(suspect, course, setting, 0.0)
    lead = max(fates, key=lambda fate: fate.log)
    return replace(lead, log=float(np.logaddexp.reduce([fate.log for fate in fates])))


def _ends(suspect: Suspect, best: int, setting: _Setting, prior: float) -> Iterator[_Fate]:
    """Weigh a change that stopped biting on one day, for everybody, whatever was installed.

    Tried on the best course and on the one without any cure.
    """
    panel = setting.panel
    without_cure = int(suspect.masks.sum(axis=1).argmax())
    for course in {best, without_cure}:
        mask = suspect.masks[course][setting.outside]
        until = setting.log + by_change_until(panel, mask, setting.own)
        day = int(until.argmax())
        # Where nobody had it later, nothing was ended: what came after still tells of its cure.
        later = bool((mask & (panel.day > day)).any())
        over = panel.days[day] + pd.Timedelta(days=1) if later else None
        log = prior + float(np.log(ENDED / 2) + log_mean_exp(until))
        fit = float(until.max() - np.log(len(until)))  # the day, being fitted, pays
        yield _Fate(log, fit, course, setting.outages, over)


def _told_apart(setting: _Setting, panel: Panel, mask: npt.NDArray[np.bool_]) -> bool:
    """Tell whether the outages show where a change (its mask) is not in effect.

    An outage that only exposed hosts have is not one: it would take the failures of the change for
    its own.
    """
    free = panel.only(~mask)
    left = np.ones(len(free.host), dtype=bool)
    brings = 0.0
    for one in setting.found:
        rest = free.only(left)
        inside = _within(rest, one.outage)
        brings += one.price + inside_window(rest, inside, one.shares)
        left[np.flatnonzero(left)[inside]] = False
    return bool(brings + own_spells(free.only(left)).sum() > own_spells(free).sum())


def _settings(
    panel: Panel,
    sites: Mapping[str, frozenset[str]],
    suspects: Sequence[Suspect],
    logs: Sequence[Floats],
    plain: _Setting,
) -> list[_Setting]:
    """Find the sets of outages worth weighing: those of all the data, and of what changes leave."""
    chains = [find_outages(panel, sites, plain.own)]
    leading = sorted(range(len(suspects)), key=lambda s: -float(logs[s].max()))[:LED]
    for place in leading:
        left = ~suspects[place].masks[int(logs[place].argmax())]
        if left.any():
            chains.append(find_outages(panel.only(left), sites))
    sets = {
        frozenset(one.outage for one in chain[:size]): chain[:size]
        for chain in chains
        for size in range(1, len(chain) + 1)
    }
    return [_setting(panel, sets[key]) for key in sorted(sets, key=_order)]


def _order(outages: frozenset[Outage]) -> list[tuple[int, int, str]]:
    return sorted((one.start.value, one.end.value, one.site) for one in outages)


def _setting(panel: Panel, found: Sequence[Found]) -> _Setting:
    """Take outages, found on a part of the panel perhaps, to have happened in all of it."""
    left = np.ones(len(panel.host), dtype=bool)
    log = 0.0
    for one in found:
        rest = panel.only(left)
        inside = _within(rest, one.outage)
        log += one.price + inside_window(rest, inside, one.shares)
        left[np.flatnonzero(left)[inside]] = False
    outside = panel.only(left)
    return _Setting(tuple(found), log, left, outside, own_spells(outside))


def _within(panel: Panel, outage: Outage) -> npt.NDArray[np.bool_]:
    member = np.isin(panel.hosts, list(outage.hosts))
    at = (panel.time >= outage.start.value) & (panel.time < outage.end.value)
    return at & member[panel.host]
