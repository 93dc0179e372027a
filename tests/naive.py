"""Slow, obvious twins of the kit's fast functions: loops over rows, one thing at a time."""

from __future__ import annotations

import math

import pandas as pd

from kitlib.explain import (
    BASE_RATE,
    FAULT_RATES,
    LAGS,
    OWN_FAULT,
    OWN_SPELL,
    RAMP,
    SUSCEPTIBLE,
    WEEK,
    fault_rates,
)


def in_effect(spans, episodes):
    """Whether each episode lies in a span of its own host."""
    out = []
    for host, time in zip(episodes["host"], episodes["time"], strict=True):
        inside = False
        for other, start, end in zip(spans["host"], spans["start"], spans["end"], strict=True):
            begun = pd.isna(start) or start <= time
            over = not pd.isna(end) and time >= end
            inside = inside or (other == host and begun and not over)
        out.append(inside)
    return out


def trials(outcomes, rate):
    """Log probability of ordered outcomes (True: failure), predicting one after the other."""
    a, b = rate
    log = 0.0
    for failed in outcomes:
        chance = a / (a + b)
        log += math.log(chance if failed else 1 - chance)
        a, b = (a + 1, b) if failed else (a, b + 1)
    return log


def mean_exp(logs):
    highest = max(logs)
    return highest + math.log(sum(math.exp(x - highest) for x in logs) / len(logs))


def mix(*parts):
    """Logarithm of a weighted sum of probabilities given as (weight, log)."""
    highest = max(log for _, log in parts)
    return highest + math.log(sum(w * math.exp(log - highest) for w, log in parts))


def own_spell(rows, base=BASE_RATE):
    """One host by itself; rows are (day, failed)."""
    days = sorted({day for day, _ in rows})
    everything = [failed for _, failed in rows]
    spells = []
    for first in days:
        for last in days:
            if first <= last:
                inside = [failed for day, failed in rows if first <= day <= last]
                outside = [failed for day, failed in rows if not first <= day <= last]
                spells += [trials(inside, rate) + trials(outside, base) for rate in FAULT_RATES]
    return mix(
        (1 - OWN_SPELL - OWN_FAULT, trials(everything, base)),
        (OWN_SPELL, mean_exp(spells)),
        (OWN_FAULT, mean_exp([trials(everything, rate) for rate in FAULT_RATES])),
    )


def fault(hosts, lags=(1.0,), base=BASE_RATE):
    """All hosts under a fault; hosts is a list of rows (day, failed, on), in order of time.

    A host may begin to fail some days into each stay: `lags` are the chances of 0, 1, 2 ... days.
    """
    worlds = []
    for rate in fault_rates(base):
        for share in SUSCEPTIBLE:
            log = 0.0
            for rows in hosts:
                own = own_spell([(day, failed) for day, failed, _ in rows], base)
                if not any(on for _, _, on in rows):
                    log += own
                    continue
                each = []
                for lag, chance in enumerate(lags):
                    late = _late(rows, lag)
                    bitten = trials([f for f, on in late if on], rate)
                    each.append((chance, bitten + trials([f for f, on in late if not on], base)))
                log += mix((share, mix(*each)), (1 - share, own))
            worlds.append(log)
    return mean_exp(worlds)


def _late(rows, lag):
    """Rows as (failed, on), where on begins `lag` days after the first episode of each stay."""
    out, first = [], None
    for day, failed, on in sorted(rows, key=lambda row: row[0]):
        first = (day if first is None else first) if on else None
        out.append((failed, on and min(day - first, len(LAGS) - 1) >= lag))
    return out


def outage(hosts, days):
    """Every window of days, averaged; hosts is a list of rows (day, failed)."""
    logs = [
        fault([[(d, f, first <= d <= last) for d, f in rows] for rows in hosts])
        for first in range(days)
        for last in range(first, days)
    ]
    return mean_exp(logs), max(logs)


def trend(hosts, days):
    """A rate that goes steadily from one value to another, for everybody; all pairs averaged."""
    worlds = []
    for low in RAMP:
        for high in RAMP:
            for share in SUSCEPTIBLE if low != high else ():
                log = 0.0
                for rows in hosts:
                    rates = [low + (high - low) * (d + 0.5) / days for d, _ in rows]
                    follows = sum(
                        math.log(r if f else 1 - r) for r, (_, f) in zip(rates, rows, strict=True)
                    )
                    log += mix((share, follows), (1 - share, own_spell(rows)))
                worlds.append(log)
    return mean_exp(worlds)


def unsteady(hosts, days):
    """One rate a week, fitted to everybody, each rate paid for."""
    rates, price = [], 0.0
    for week in range((days - 1) // WEEK + 1):
        seen = [f for rows in hosts for d, f in rows if d // WEEK == week]
        rates.append((sum(seen) + BASE_RATE[0]) / (len(seen) + sum(BASE_RATE)))
        price += math.log(max(len(seen), 1)) / 2
    worlds = []
    for share in SUSCEPTIBLE:
        log = 0.0
        for rows in hosts:
            follows = sum(
                math.log(rates[d // WEEK] if f else 1 - rates[d // WEEK]) for d, f in rows
            )
            log += mix((share, follows), (1 - share, own_spell(rows)))
        worlds.append(log)
    return mean_exp(worlds) - price


def hours_in_use(spells, days):
    """Hours within spells and within days of use, minute by minute."""
    minutes = 0
    for start, end in spells:
        for first, last in days:
            minute = first
            while minute < last:
                minutes += start <= minute < end
                minute += pd.Timedelta(minutes=1)
    return minutes / 60
