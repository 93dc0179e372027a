"""When was the fault active on a host? What the change, the outages and the attempts say together.

A change is in effect for longer than its fault is felt: the fault may begin late, and may end without
any change of build. The attempts narrow each span down to the stretch that speaks for the fault, and
say between which instants it began and ended. This file knows instants; it counts no cost.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pandas as pd

from kitlib import hours

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitlib.cause import Cause
    from kitlib.stats import Floats, Ints

ORDINARY: Final = 0.05
"""Share of attempts that fail while no fault is active."""

LIKELY: Final = 2.0
"""A fault is taken to be active from the begin of its span unless the attempts before its first
failure speak against that by more than this (log likelihood ratio); by more where few hosts of the
fleet show a late begin."""

TOGETHER: Final = 12 * hours.HOUR
"""Hosts whose last records are no further apart than this were exported together."""

OTHERS: Final = (0.05, 0.95)
"""Range (quantiles) of the other hosts' delays that is taken for that of a host without a log."""

TOGETHER_FROM: Final = 4
"""Ends without a change from which on it can be told that they have one time in common."""

ALIKE: Final = 0.75
"""Share of them that have to fit; an ordinary failure after the cure spoils the fit of some."""

NEVER: Final = int(np.iinfo(np.int64).max) // 2
"""An instant (ns since 1970) after all others."""

NOTHING: Final = np.array([], dtype=np.int64)
"""No instants."""


class Signs(NamedTuple):
    """Instants of one host (ns since 1970, sorted).

    Attributes
    ----------
    tries, worked
        Attempts that ended, and the successes among them.
    symptom
        Failures with the symptom while what is held responsible was at work.
    on, off
        Switching on and off.
    """

    tries: Ints = NOTHING
    worked: Ints = NOTHING
    symptom: Ints = NOTHING
    on: Ints = NOTHING
    off: Ints = NOTHING


class Spell(NamedTuple):
    """A time in which the fault was active on a host; each end lies between two instants (ns)."""

    start: tuple[int, int]
    end: tuple[int, int]
    felt: int = NEVER  # its first failure; never, if none was seen
    blind: bool = False  # its log of attempts begins after the change
    hidden: bool = False  # and so it began, unseen
    loose: bool = False  # it ended without any change
    common: bool = False  # it ended when those of the other hosts did

    def drawn(self, rng: np.random.Generator, cured: Floats) -> tuple[Ints, Ints]:
        """Draw begins and ends, each instant between the two as likely.

        `cured` are the places (0 to 1) to take for an end that all hosts have in common.
        """
        starts, ends = (
            low + ((high - low) * place).astype(np.int64)
            for (low, high), place in (
                (self.start, rng.random(hours.SAMPLES)),
                (self.end, cured if self.common else rng.random(hours.SAMPLES)),
            )
        )
        return starts, ends


def find_spells(
    hosts: pd.DataFrame,
    signs: Sequence[Signs],
    last: Mapping[str, int],
    cause: Cause,
    covered: Sequence[tuple[Ints, Ints]],
) -> list[tuple[Spell, ...]]:
    """Find when the fault was active on each host; see the notes of `kitlib.losses.measure_losses`.

    Parameters
    ----------
    hosts
        Table ``hosts``.
    signs
        What each of them shows.
    last
        Its last record (ns since 1970), by name.
    cause
        The verdict.
    covered
        From and to (ns) of the spans in which an attempt of each host would have been logged.

    Returns
    -------
    list of tuple of Spell
        One entry a host, empty for a host that was not affected.

    Notes
    -----
    Assumes that an attempt fails with one chance while the fault is active (learned from the hosts
    that failed) and with another (`ORDINARY`) while it is not. Fails to see a second fault in one
    span, and a pause of the fault within it.

    Where a span begins before the log of attempts does, the fault is taken to have begun as late in
    it as on the hosts whose logs tell, at the first failure at the latest. Where nothing tells when
    the change came, it came when it did to others before the log began.

    A late begin is the easier believed the more hosts show one: the log odds of the share of spans
    with one are asked for on top (`LIKELY`), the share being that of a first pass.
    """
    told = _told(cause)
    hit = hosts["onset"].notna()
    broken = _failing_share([own for own, is_hit in zip(signs, hit, strict=True) if is_hit])
    ends = _ends(hosts, last)

    def found(doubt: float) -> list[tuple[Spell, ...]]:
        out: list[tuple[Spell, ...]] = []
        for name, is_hit, by, own, until, seen in zip(
            hosts["host"], hit, hosts["recovered_by"], signs, ends, covered, strict=True
        ):
            if not is_hit:
                out.append(())
            elif not cause.follows and not cause.outages:
                out.append(_bouts(own, until[0]))
            else:
                # Neither the change nor an outage says when it ended; only the attempts do.
                against = _Against(broken, LIKELY + doubt, unsaid=cause.follows and by == "other")
                out.append(
                    tuple(
                        _within(own, low, high, until, seen, against)
                        for low, high in told.get(name, [])
                        if low < until[0]
                    )
                )
        return out

    spells = found(0.0)
    if not cause.follows:
        return spells
    late = [s.start[0] < s.start[1] for own in spells for s in own if not s.blind]
    share = (sum(late) + 1) / (len(late) + 2)
    if share < 1 / 2:
        spells = found(float(np.log((1 - share) / share)))
    return _ended_together(_begun_unseen(spells, told, hosts["host"].tolist()))


def _ends(hosts: pd.DataFrame, last: Mapping[str, int]) -> list[tuple[int, int]]:
    """Return between which instants each host recovered, or its evidence ends."""
    exported = max(last.values(), default=NEVER)
    out = []
    for name, back in zip(hosts["host"], hosts["recovered_at"], strict=True):
        end = last.get(name, exported)
        until = (end, exported if exported - end < TOGETHER else end)
        out.append((back.value, back.value) if pd.notna(back) else until)
    return out


class _Against(NamedTuple):
    """What the attempts of a host are held against."""

    broken: float  # share that fails while the fault is active
    likely: float  # log likelihood ratio that a late begin needs
    unsaid: bool  # no change and no outage says when it ended


def _within(  # noqa: PLR0913, PLR0917  # one span with all that bounds it
    own: Signs,
    low: int,
    high: int,
    until: tuple[int, int],
    seen: tuple[Ints, Ints],
    against: _Against,
) -> Spell:
    """Say when the fault was active within a span that the evidence ends `until`."""
    log = _begin_of_log(seen, low)
    loose = against.unsaid and high > until[0]
    end = (min(high, until[0]), min(high, until[1]))
    spell = _narrowed(own, low or log, end, against, loose=loose)
    hidden = low < log and spell.start == (low or log, low or log)
    return spell._replace(blind=low < log, hidden=hidden, loose=loose)


def _begin_of_log(covered: tuple[Ints, Ints], since: int) -> int:
    """Return from when on an attempt would have been logged; `since` itself where nothing tells."""
    start, end = covered
    after = start[end > since]
    return max(int(after.min()), since) if len(after) else since


def _begun_unseen(
    spells: list[tuple[Spell, ...]], told: Mapping[str, list[tuple[int, int]]], names: list[str]
) -> list[tuple[Spell, ...]]:
    """Let what began unseen begin as long after the change as elsewhere; before its failures.

    Where it is not known when the change came, it came when it did to others before the log began.
    """
    pairs = [
        (spell, low)
        for name, own in zip(names, spells, strict=True)
        for spell, (low, _) in zip(own, told.get(name, []), strict=False)
    ]
    lags = [sum(s.start) // 2 - low for s, low in pairs if not s.blind and low] or [0]
    # A few late begins among many at once are rather errors than what to expect of a host.
    few, many = (int(lag) for lag in np.quantile(lags, OTHERS)) if np.median(lags) > 0 else (0, 0)
    came = np.array(sorted(low for spans in told.values() for low, _ in spans if low), np.int64)

    def moved(spell: Spell, low: int) -> Spell:
        latest = min(spell.felt, spell.end[0])
        if not spell.hidden:
            return spell
        if low:
            return spell._replace(start=(min(low + few, latest), min(low + many, latest)))
        before = came[came < spell.start[0]]
        if not len(before):
            return spell._replace(hidden=False)
        first, last = (int(time) for time in np.quantile(before, OTHERS))
        return spell._replace(start=(min(first + few, latest), min(last + many, latest)))

    known = iter([moved(*pair) for pair in pairs])
    return [tuple(next(known) for _ in own) for own in spells]


def _ended_together(spells: list[tuple[Spell, ...]]) -> list[tuple[Spell, ...]]:
    """Let the fault end everywhere at one time where that fits nearly all of the open ends.

    Ends that nothing has in common would hardly all hold one instant; what was mended for all at
    once, on a server say, always does.
    """
    ends = [spell.end for own in spells for spell in own if spell.loose]
    if len(ends) < TOGETHER_FROM:
        return spells
    instants = sorted({low for low, _ in ends})
    holding = [sum(low <= at <= high for low, high in ends) for at in instants]
    most = max(holding)
    if most < ALIKE * len(ends):
        return spells
    at = instants[holding.index(most)]
    high = min(high for low, high in ends if low <= at <= high)
    return [
        tuple(
            s._replace(end=(at, high), common=True) if s.loose and s.end[0] <= at <= s.end[1] else s
            for s in own
        )
        for own in spells
    ]


def outages_by_host(cause: Cause) -> dict[str, list[tuple[int, int]]]:
    """Return from and to (ns since 1970) of the outages in the verdict, by host."""
    out: dict[str, list[tuple[int, int]]] = {}
    for outage in cause.outages:
        for host in outage.hosts:
            out.setdefault(host, []).append((outage.start.value, outage.end.value))
    return out


def _told(cause: Cause) -> dict[str, list[tuple[int, int]]]:
    """Return the spans in which what is held responsible was at work, by host."""
    aside = outages_by_host(cause)
    if not cause.follows:
        return {host: _joined(spans) for host, spans in aside.items()}
    bad: dict[str, list[tuple[int, int]]] = {}
    for host, start, end in zip(
        cause.bad["host"], cause.bad["start"], cause.bad["end"], strict=True
    ):
        low = start.value if pd.notna(start) else 0
        bad.setdefault(host, []).append((low, end.value if pd.notna(end) else NEVER))
    return {
        host: reduce(_without, aside.get(host, []), _joined(spans)) for host, spans in bad.items()
    }


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join spans that meet or overlap."""
    out: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if out and low <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], high))
        else:
            out.append((low, high))
    return out


def _without(spans: list[tuple[int, int]], hole: tuple[int, int]) -> list[tuple[int, int]]:
    """Cut a hole into spans."""
    pieces = [
        piece
        for low, high in spans
        for piece in ((low, min(high, hole[0])), (max(low, hole[1]), high))
    ]
    return [(low, high) for low, high in pieces if low < high]


def _failing_share(signs: Sequence[Signs]) -> float:
    """Share of failures of the fault among the attempts from a host's first such to its last."""
    failed, tried = 1, 2
    for own in signs:
        if len(own.symptom):
            inside = (own.tries >= own.symptom[0]) & (own.tries <= own.symptom[-1])
            failed, tried = failed + len(own.symptom), tried + int(inside.sum())
    return failed / tried


def _narrowed(
    own: Signs, low: int, end: tuple[int, int], against: _Against, *, loose: bool
) -> Spell:
    """Say between which instants the fault began and ended within a span.

    The attempts in it that speak for the fault the most are those while it was active (the stretch
    with the greatest log likelihood ratio of failing with the share `broken` against `ORDINARY`).
    """
    tries = own.tries[(own.tries >= low) & (own.tries < end[0])]
    failed = np.isin(tries, own.symptom)
    if not failed.any():
        return Spell((low, low), end)
    share = against.broken
    fails, works = np.log(share / ORDINARY), np.log((1 - share) / (1 - ORDINARY))
    says = works + (fails - works) * failed
    first, last = _greatest(says)
    if loose:
        end = (int(tries[last]), end[1])
    if says[:first].sum() < -against.likely:
        return Spell((int(tries[first - 1]), int(tries[first])), end, int(tries[first]))
    return Spell((low, low), end, int(tries[failed][0]))


def _greatest(values: Floats) -> tuple[int, int]:
    """Return the first and last place of the stretch with the greatest sum."""
    sums = np.concatenate([[0.0], values.cumsum()])
    gains = sums[1:] - np.minimum.accumulate(sums)[:-1]
    last = int(gains.argmax())
    return int(sums[: last + 1].argmin()), last


def _bouts(own: Signs, until: int) -> tuple[Spell, ...]:
    """Return the times from a failure to some time between the last one and the next success."""
    after = np.append(own.worked, NEVER)[np.searchsorted(own.worked, own.symptom, "right")]
    ends, first, count = np.unique(after, return_index=True, return_counts=True)
    lows, lasts = own.symptom[first].tolist(), own.symptom[first + count - 1].tolist()
    return tuple(
        Spell(
            (low, low), (min(last, high), min(high, until)) if high < NEVER else (until, until), low
        )
        for low, last, high in zip(lows, lasts, ends.tolist(), strict=True)
        if low < until
    )
