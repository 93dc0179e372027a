"""Everything weighed under one prior of the ordinary failure rates.

Each change, and "no common cause", is weighed with and without the outages that stand out
(`kitlib.explain.outages`); the trend is weighed by itself. Which priors of the ordinary rates there
are, and how the sides are put together, is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
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


@dataclass(frozen=True, slots=True)
class Fate:
    """How a change does, over all its courses, with and without outages and an end for all."""

    log: float  # prior of its circumstances times likelihood, summed over them
    fit: float  # log likelihood in the best of them
    course: int
    setting: Setting
    over: pd.Timestamp | None


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """How every explanation does under one prior of the ordinary rates.

    Attributes
    ----------
    settings
        Sets of outages taken to have happened; the first is empty.
    nothing, trend, unsteady
        Logarithms of prior times likelihood.
    outages
        The same of an outage in any window of days, then of each further setting.
    fates
        The same of each change, and its best circumstances.
    windows, window
        Log likelihood of an outage in its best window of days, and that window.
    lone
        Log likelihood of each course of each change if it bites at once and nothing else happened.
    """

    settings: tuple[Setting, ...]
    nothing: float
    trend: float
    unsteady: float
    outages: Floats
    fates: tuple[Fate, ...]
    windows: float
    window: tuple[int, int]
    lone: tuple[Floats, ...]

    @property
    def at_site(self) -> npt.NDArray[np.bool_]:
        """Mark those of `outages` that are outages of sites alone."""
        alone = [all(outage.site for outage in s.outages) for s in self.settings[1:]]
        return np.asarray([False, *alone])


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What is known under one prior of the ordinary rates before anything is set aside.

    Attributes
    ----------
    plain
        All the data, without outages.
    courses
        Log likelihood of each course of each change by itself.
    sets
        Sets of outages that stand out, as they were found.
    """

    plain: Setting
    courses: tuple[Floats, ...]
    sets: Mapping[frozenset[Outage], Sequence[Found]]

    def ordinary(self, suspects: Sequence[Suspect]) -> Iterator[npt.NDArray[np.bool_]]:
        """Yield what may have been ordinary: outside outages and the best change, or of either."""
        settings = self.settings(self.sets)
        calm = max(settings, key=lambda setting: setting.nothing).outside
        if suspects:
            place = max(range(len(suspects)), key=lambda s: float(self.courses[s].max()))
            free = ~suspects[place].masks[int(self.courses[place].argmax())]
            yield free & calm
            yield free
        yield calm
        yield self.plain.outside

    def settings(self, sets: Mapping[frozenset[Outage], Sequence[Found]]) -> list[Setting]:
        """Take each of the sets of outages to have happened; the first is without any."""
        ordered = sorted(sets, key=_order)
        return [self.plain, *(_setting(self.plain.panel, sets[key]) for key in ordered)]


def find_ground(
    panel: Panel, suspects: Sequence[Suspect], sites: Mapping[str, frozenset[str]]
) -> Ground:
    """Look at all the data under the panel's prior of the ordinary rates."""
    plain = Setting((), 0.0, np.ones(len(panel.host), dtype=bool), panel, own_spells(panel))
    courses = tuple(by_change(panel, suspect.masks, plain.own) for suspect in suspects)
    return Ground(plain, courses, _sets(panel, sites, suspects, courses, plain))


def weigh_side(
    ground: Ground,
    suspects: Sequence[Suspect],
    sets: Mapping[frozenset[Outage], Sequence[Found]],
) -> Side:
    """Weigh every explanation under the ground's prior of the ordinary rates.

    The sets of outages are those of all grounds: a search that takes a lower rate for usual may
    see one long outage where there were two.
    """
    plain, panel = ground.plain, ground.plain.panel
    windows, window = find_windows(panel, plain.own)
    settings = ground.settings(sets)
    asked = _asked(panel, suspects, ground.courses)
    share = float(np.log(PRIOR["change"] / max(len(suspects), 1)))
    fates = [
        _weigh_change(suspect, ground.courses[place], settings, asked=place in asked)
        for place, suspect in enumerate(suspects)
    ]
    common = [s.nothing + np.log(PRIOR["outage"] / AGAIN) for s in settings[1:]]
    return Side(
        settings=tuple(settings),
        nothing=float(np.log(PRIOR["nothing"])) + plain.nothing,
        trend=float(np.log(PRIOR["trend"])) + trend(panel, plain.own),
        unsteady=float(np.log(PRIOR["unsteady"])) + unsteady(panel, plain.own),
        outages=np.asarray([np.log(PRIOR["outage"]) + log_mean_exp(windows), *common], dtype=float),
        fates=tuple(replace(fate, log=share + fate.log) for fate in fates),
        windows=float(windows.max()),
        window=window,
        lone=tuple(_at_once(panel, suspect, plain.own) for suspect in suspects),
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
        [
            float(fault(*panel.counts(mask), *everything, own, base=panel.base))
            for mask in suspect.masks
        ]
    )


def _weigh_change(
    suspect: Suspect, courses: Floats, settings: Sequence[Setting], *, asked: bool
) -> Fate:
    """Weigh one change; only those that are `asked` need the circumstances, the others have lost."""
    goes_on = float(np.log(1 - AGAIN) + np.log(1 - ENDED))
    best = int(courses.argmax())
    plain = Fate(
        goes_on + float(log_mean_exp(courses)), float(courses.max()), best, settings[0], None
    )
    if not asked:
        return plain
    fates = [plain, *_ends(suspect, best, settings[0], float(np.log(1 - AGAIN)))]
    free = settings[0].panel.only(~suspect.masks[best])
    alone = float(own_spells(free).sum()) if len(settings) > 1 else 0.0
    for setting in settings[1:]:
        if not _told_apart(setting, free, alone):
            continue
        masks = suspect.masks[:, setting.outside]
        logs = setting.log + by_change(setting.panel, masks, setting.own)
        prior, course = float(np.log(1 - ENDED)), int(logs.argmax())
        log = prior + float(log_mean_exp(logs))
        fates.append(Fate(log, float(logs.max()), course, setting, None))
        fates += _ends(suspect, course, setting, 0.0)
    lead = max(fates, key=lambda fate: fate.log)
    return replace(lead, log=float(np.logaddexp.reduce([fate.log for fate in fates])))


def _ends(suspect: Suspect, best: int, setting: Setting, prior: float) -> Iterator[Fate]:
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
        yield Fate(log, fit, course, setting, over)


def _told_apart(setting: Setting, free: Panel, alone: float) -> bool:
    """Tell whether the outages show where a change is not in effect.

    An outage that only exposed hosts have is not one: it would take the failures of the change for
    its own. `free` are the episodes without the change, `alone` what hosts by themselves make of
    them.
    """
    left = np.ones(len(free.host), dtype=bool)
    brings = 0.0
    for one in setting.found:
        rest = free.only(left)
        inside = _within(rest, one.outage)
        brings += one.price + inside_window(rest, inside, one.shares)
        left[np.flatnonzero(left)[inside]] = False
    return bool(brings + own_spells(free.only(left)).sum() > alone)


def _sets(
    panel: Panel,
    sites: Mapping[str, frozenset[str]],
    suspects: Sequence[Suspect],
    logs: Sequence[Floats],
    plain: Setting,
) -> dict[frozenset[Outage], list[Found]]:
    """Find the sets of outages worth weighing: those of all the data, and of what changes leave."""
    chains = [find_outages(panel, sites, plain.own)]
    leading = sorted(range(len(suspects)), key=lambda s: -float(logs[s].max()))[:LED]
    for place in leading:
        left = ~suspects[place].masks[int(logs[place].argmax())]
        if left.any():
            chains.append(find_outages(panel.only(left), sites))
    return {
        frozenset(one.outage for one in chain[:size]): chain[:size]
        for chain in chains
        for size in range(1, len(chain) + 1)
    }


def _order(outages: frozenset[Outage]) -> list[tuple[int, int, str]]:
    return sorted((one.start.value, one.end.value, one.site) for one in outages)


def _setting(panel: Panel, found: Sequence[Found]) -> Setting:
    """Take outages, found on a part of the panel perhaps, to have happened in all of it."""
    left = np.ones(len(panel.host), dtype=bool)
    log = 0.0
    for one in found:
        rest = panel.only(left)
        inside = _within(rest, one.outage)
        log += one.price + inside_window(rest, inside, one.shares)
        left[np.flatnonzero(left)[inside]] = False
    outside = panel.only(left)
    return Setting(tuple(found), log, left, outside, own_spells(outside))


def _within(panel: Panel, outage: Outage) -> npt.NDArray[np.bool_]:
    member = np.isin(panel.hosts, list(outage.hosts))
    at = (panel.time >= outage.start.value) & (panel.time < outage.end.value)
    return at & member[panel.host]
