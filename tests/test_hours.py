"""Claims about hours lost: use is seen, not assumed."""

from __future__ import annotations

import naive
import numpy as np
import pandas as pd
import pytest

from kitlib import schema
from kitlib.hours import Use, hours_lost, learn_use

NONE = pd.Timedelta(0)


def at(day, hour):
    return pd.Timestamp("2022-01-10", tz="UTC") + pd.Timedelta(days=day, hours=hour)


def facts(*rows):
    """Rows are (day, hour, action)."""
    return schema.frame(
        "timeline",
        [
            {
                "host": "A",
                "time": at(day, hour),
                "time_basis": "utc",
                "action": action,
                "activity": "vpn" if action.startswith(("attempt", "session")) else "",
            }
            for day, hour, action in rows
        ],
    )


def office_day(day, *, on=7.0, off=17.0, first=7.5, last=16.5):
    return [
        (day, on, "boot"),
        (day, first, "attempt_succeeded"),
        (day, last, "session_ended"),
        (day, off, "shutdown"),
    ]


def use_of(*days):
    frame = pd.DataFrame({"first": [a for a, _ in days], "last": [b for _, b in days]})
    return Use(days=frame, morning=NONE, evening=NONE)


@pytest.mark.parametrize("seed", range(4))
def test_hours_lost_equals_counting_minutes(seed):
    rng = np.random.default_rng(seed)
    days = [(at(d, 6 + rng.integers(0, 3)), at(d, 15 + rng.integers(0, 4))) for d in range(5)]
    starts = sorted(rng.integers(0, 100, 2).tolist())
    spells = [(at(0, starts[0]), at(0, starts[0] + 9)), (at(0, starts[1] + 10), at(0, 119))]
    want = naive.hours_in_use(spells, days)
    assert hours_lost(spells, use_of(*days)) == pytest.approx((want,) * 3, abs=1e-6)


def test_hours_lost_of_no_spell_is_nothing():
    assert hours_lost([], use_of((at(0, 8), at(0, 16)))) == (0.0, 0.0, 0.0)


def test_hours_lost_on_days_without_use_is_nothing():
    assert hours_lost([(at(3, 0), at(5, 0))], use_of((at(0, 8), at(0, 16)))) == (0.0, 0.0, 0.0)


def test_hours_lost_has_the_estimate_within_its_interval():
    table = facts(*(row for day in range(8) for row in office_day(day)))
    spells = [(at(5, 0), at(7, 0))]
    estimate, low, high = hours_lost(spells, learn_use(table, spells=spells))
    assert low < estimate < high
    assert high == pytest.approx(20.0)  # switched on to switched off, twice
    assert low == pytest.approx(18.0)  # first attempt to last session, twice


def test_learn_use_sees_a_machine_that_is_never_switched_off_through_its_attempts():
    rows = [(day, hour, "resume") for day in range(5) for hour in (0.5, 23.5)]
    rows += [(day, hour, "attempt_failed") for day in range(5) for hour in (8.0, 15.0)]
    use = learn_use(facts(*rows), spells=[])
    assert (use.days["last"] - use.days["first"]).unique().tolist() == [pd.Timedelta(hours=7)]


def test_learn_use_does_not_lose_the_day_of_a_machine_that_woke_in_the_night():
    night = [(0, 1.0, "resume"), (0, 1.5, "boot"), (0, 2.0, "sleep")]
    tried = [(0, 8.0, "attempt_failed"), (0, 8.1, "attempt_failed")]
    use = learn_use(facts(*night, (0, 7.0, "resume"), *tried, (0, 17.0, "sleep")), spells=[])
    assert use.days["first"].tolist() == [at(0, 7.0)]
    assert use.days["last"].tolist() == [at(0, 17.0)]


def test_learn_use_takes_a_machine_for_on_until_its_logs_were_exported():
    table = facts((0, 7.0, "resume"), (0, 8.0, "attempt_failed"))
    assert learn_use(table, spells=[]).days["last"].tolist() == [at(0, 8.0)]
    use = learn_use(table, spells=[], until=at(0, 15.0))
    assert use.days["last"].tolist() == [at(0, 15.0)]


def test_learn_use_leaves_days_of_the_outage_out_of_the_habit():
    usual = [row for day in range(4) for row in office_day(day)]
    odd = [row for day in (4, 5) for row in office_day(day, first=12.0, last=12.5)]
    spells = [(at(4, 0), at(6, 0))]
    use = learn_use(facts(*usual, *odd), spells=spells)
    assert use.morning == pd.Timedelta(minutes=30)
    assert use.evening == pd.Timedelta(minutes=30)


def test_learn_use_ignores_facts_that_are_only_dated_to_the_day():
    table = facts(*office_day(0))
    vague = table.assign(time=at(9, 0), time_basis="date")
    assert len(learn_use(pd.concat([table, vague]), spells=[]).days) == 1


def test_learn_use_of_nothing_is_no_use():
    use = learn_use(schema.empty("timeline"), spells=[])
    assert use.days.empty
    assert hours_lost([(at(0, 0), at(1, 0))], use) == (0.0, 0.0, 0.0)
