"""Claims about what was lost: against each host's own habit, with intervals that hold the truth."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

from kitlib import losses, schema
from kitlib.cause import Cause
from kitlib.explain.outages import Outage
from kitlib.incident import load_incident
from kitlib.losses import COLUMNS, measure_losses

INCIDENT = load_incident("vpn-outage")
DAY_0 = pd.Timestamp("2022-01-10", tz="UTC")  # a Monday
DAYS = 32
WORKDAYS = tuple(d for d in range(DAYS) if d % 7 < 5)


def at(day, hour=0.0):
    return DAY_0 + pd.Timedelta(days=day, hours=hour)


@dataclass(kw_only=True)
class User:
    """A host and its user, not in the manner of the kit's own simulator: see `live`."""

    begin: float = 8.0
    end: float = 16.5
    days: tuple[int, ...] = WORKDAYS
    rate: float = 2.0
    bad: tuple[float, float | None] | None = (14.75, 22.7)
    power: str = "switched"
    varies: float = 0.15
    fails: float = 1.0
    away: tuple[int, ...] = ()
    log: float = -1.0
    facts: list = field(default_factory=list)
    tries: list = field(default_factory=list)

    def live(self, rng):
        """Work, switch on and off, dial at exponential pauses (one try, and one more in vain).

        One who has lived already does not live again.
        """
        for day in () if self.facts or self.tries else self.days:
            if day in self.away:
                continue
            low = self.begin + rng.normal(0, self.varies)
            high = self.end + rng.normal(0, self.varies)
            if self.power == "switched":
                self.facts += [(day, low - rng.exponential(0.15), "resume")]
                self.facts += [(day, high + rng.exponential(0.3), "sleep")]
            time = low + rng.exponential((high - low) / (self.rate + 0.3))
            while time < high:
                broken = self.broken(day + time / 24) and rng.random() < self.fails
                self.tries += [(day, time, not broken)]
                self.tries += [(day, time + 0.02, False)] if broken else []
                time += rng.exponential((high - low) / self.rate)
        return self

    def broken(self, time):
        low, high = self.bad or (np.inf, None)
        return low <= time < (np.inf if high is None else high)

    @property
    def failed(self):
        return [(d, h) for d, h, worked in self.tries if not worked]

    def hours_lost(self):
        """Count the minutes of work from the first failure on while the fault was active."""
        if not self.failed:
            return 0.0
        first = min(d + h / 24 for d, h in self.failed)
        minutes = 0
        for day in set(self.days) - set(self.away):
            for minute in range(int(self.begin * 60), int(self.end * 60)):
                time = day + minute / 1440
                minutes += time >= first and self.broken(time)
        return minutes / 60

    def sessions_lost(self):
        """Return the sessions expected while the fault was active, less those that came up."""
        had = sum(self.broken(d + h / 24) for d, h, worked in self.tries if worked)
        share = sum(
            self.broken(day + (self.begin + (n + 0.5) / 100 * (self.end - self.begin)) / 24) / 100
            for day in set(self.days) - set(self.away)
            for n in range(100)
        )
        return max(share * self.mean_sessions() - had, 0)

    def mean_sessions(self):
        """Mean number of sessions a day, by living a thousand days."""
        rng = np.random.default_rng(int(self.rate * 100))
        count = 0
        for _ in range(3000):
            time = rng.exponential(1 / (self.rate + 0.3))
            while time < 1:
                count += 1
                time += rng.exponential(1 / self.rate)
        return count / 3000


def tables(users):
    facts, tries, rows, bad = [], [], [], []
    for n, user in enumerate(users):
        host = f"H{n:02d}"
        basis = {"host": host, "time_basis": "utc"}
        facts += [{**basis, "time": at(d, h), "action": a} for d, h, a in user.facts]
        facts += [{**basis, "time": at(d, h), "activity": "vpn"} for d, h, _ in user.tries]
        facts.append({**basis, "time": at(DAYS - 4, 18.0)})
        tries += [
            {
                "host": host,
                "time": at(d, h),
                "outcome": "success" if worked else "failure",
                "code": "" if worked else "789",
                "connection": f"{host}{k}",
            }
            for k, (d, h, worked) in enumerate(user.tries)
        ]
        low, high = user.bad or (None, None)
        if user.bad:
            bad.append({"host": host, "start": at(low), "end": None if high is None else at(high)})
        after = [d + h / 24 for d, h, worked in user.tries if worked and high and d + h / 24 > high]
        rows.append(
            {
                "host": host,
                "status": "recovered" if after else "still_failing",
                "onset": at(min(d + h / 24 for d, h in user.failed)) if user.failed else None,
                "recovered_at": at(min(after)) if after and user.failed else None,
                "recovered_by": "fix" if after and user.failed else "",
            }
        )
    return (
        schema.frame("hosts", rows),
        schema.frame("attempts", tries),
        schema.frame("timeline", facts),
        schema.frame("exposure", bad),
    )


def covered(hosts, users, channel="Application"):
    row = {"channel": channel, "end": at(DAYS - 4, 18.0)}
    rows = zip(hosts["host"], users, strict=True)
    return schema.frame("coverage", [{"host": h, "start": at(u.log), **row} for h, u in rows])


def measure(users, *, seed=1, outages=(), change=lambda hosts: hosts, shown=lambda table: table):
    rng = np.random.default_rng(seed)
    hosts, attempts, timeline, bad = map(shown, tables([u.live(rng) for u in users]))
    hosts = change(hosts)
    cause = Cause(
        status="supported",
        changes=("KB1",),
        competing=(),
        probability=0.99,
        text="",
        checks=(),
        suspects=schema.empty("suspects"),
        onset=(pd.NaT, pd.NaT, pd.NaT),
        bad=bad,
        cured=schema.empty("exposure"),
        outages=outages,
    )
    got = measure_losses(hosts, attempts, timeline, covered(hosts, users), INCIDENT, cause)
    pd.testing.assert_frame_equal(
        got.drop(columns=[*COLUMNS]), hosts.drop(columns=[*COLUMNS]), check_like=True
    )
    return schema.check("hosts", got)


def office(rng, count, **habits):
    """Hosts that were patched one after the other and fixed one after the other."""
    users = []
    for n in range(count):
        start, end = 14.6 + n % 5, 20.4 + rng.integers(0, 6)
        users.append(User(bad=(start, end), **habits))
    return users


# --- the estimate -------------------------------------------------------------------------------


def test_hours_lost_are_those_of_the_working_days_counted_minute_by_minute():
    users = [*office(np.random.default_rng(1), 8), *(User(bad=None) for _ in range(4))]
    got = measure(users)
    for user, row in zip(users, got.to_dict("records"), strict=True):
        assert row["hours_lost"] == pytest.approx(user.hours_lost(), rel=0.08)
        assert row["hours_low"] <= row["hours_lost"] <= row["hours_high"]


def test_attempts_lost_are_the_sessions_of_the_habit_less_those_that_came_up():
    users = [*office(np.random.default_rng(1), 10, rate=3.0), *(User(bad=None) for _ in range(4))]
    got = measure(users)
    want = sum(user.sessions_lost() for user in users)
    assert got["attempts_lost"].sum() == pytest.approx(want, rel=0.12)


def test_failures_with_their_retries_are_no_measure_of_attempts_lost():
    users = [User() for _ in range(3)] + [User(bad=None) for _ in range(4)]
    once = measure(users)
    users[0].tries = [t for one in users[0].tries for t in ([one] if one[2] else [one] * 3)]
    again = measure(users)
    assert again["attempts_lost"].iloc[0] == pytest.approx(once["attempts_lost"].iloc[0], rel=0.02)


def test_host_that_was_not_affected_lost_nothing_and_one_without_a_log_nobody_knows_what():
    def change(hosts):
        return hosts.assign(status=hosts["status"].where(hosts["host"] != "H00", "no_data"))

    got = measure([User(), User(bad=None), User()], change=change)[[*COLUMNS]]
    assert got.iloc[0].isna().all()
    assert (got.iloc[1] == 0).all()
    assert (got.iloc[2] > 0).all()


def test_losses_of_no_host_are_an_empty_table():
    assert measure([]).empty


def test_losses_are_the_same_each_time_and_whatever_the_order_of_the_facts():
    first, again = (measure(office(np.random.default_rng(1), 4)) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)


def test_outage_that_everybody_had_is_not_lost_to_the_change():
    users = [User(bad=(14.75, 22.7), rate=5.0) for _ in range(4)]
    plain = measure(users)
    whole_day = Outage(at(16), at(17), "", frozenset(plain["host"]))
    less = measure(users, outages=(whole_day,))
    gone = plain["hours_lost"] - less["hours_lost"]
    assert gone.to_numpy() == pytest.approx(np.full(4, 8.5), abs=1.0)
    assert (less["attempts_lost"] < plain["attempts_lost"]).all()


def test_leave_is_seen_where_the_machine_is_off():
    users = [User(away=(16, 17, 18)), *(User() for _ in range(5))]
    got = measure(users)
    assert got["hours_lost"].iloc[0] == pytest.approx(users[0].hours_lost(), rel=0.08)


def test_machine_that_is_never_off_counts_its_user_s_weekdays():
    users = [User(power="on", rate=4.0) for _ in range(3)]
    users += [User(bad=None) for _ in range(6)]
    got = measure(users)
    assert got["hours_lost"].iloc[:3].to_numpy() == pytest.approx(users[0].hours_lost(), rel=0.15)


def test_intermittent_fault_counts_all_its_hours_and_only_the_sessions_that_are_missing():
    users = [User(fails=0.6, rate=3.0) for _ in range(8)] + [User(bad=None) for _ in range(4)]
    got = measure(users).iloc[:8]
    assert got["hours_lost"].sum() == pytest.approx(sum(u.hours_lost() for u in users), rel=0.08)
    assert got["attempts_lost"].sum() == pytest.approx(
        sum(u.sessions_lost() for u in users), rel=0.3
    )


def test_recovery_without_a_change_leaves_the_end_open():
    users = [User(bad=(14.75, 22.4)).live(np.random.default_rng(n)) for n in range(6)]
    truth = [user.hours_lost() for user in users]
    for user in users:
        user.bad = (14.75, None)  # the change stays, the fault has gone

    def change(hosts):
        after = [min(at(d, h) for d, h, worked in u.tries if worked and d >= 22) for u in users]
        return hosts.assign(recovered_at=after, recovered_by="other", status="workaround_only")

    got = measure(users, change=change)
    low, high = got["hours_low"].to_numpy(), got["hours_high"].to_numpy()
    assert (high - low > 0.5).all()
    assert ((low <= truth) & (truth <= high)).sum() >= 4


# --- what no log shows ---------------------------------------------------------------------------


def roll_over(user, day):
    """Take away what a log of attempts held before a day."""
    user.tries = [t for t in user.tries if t[0] >= day]
    user.log = float(day)


@pytest.mark.parametrize("power", ["switched", "on"])
def test_hours_and_sessions_before_the_log_began_are_lost_all_the_same(power):
    rng = np.random.default_rng(3)
    users = [User(bad=(14.75, 24.7), rate=3.0, power=power).live(rng) for _ in range(12)]
    users += [User(bad=None, rate=3.0).live(rng) for _ in range(6)]
    time = np.array([u.hours_lost() for u in users[:6]])
    sessions = sum(u.sessions_lost() for u in users[:6])
    for user in users[:6]:
        roll_over(user, 22)
    got = measure(users).iloc[:6]
    assert got["hours_lost"].to_numpy() == pytest.approx(time, rel=0.15)
    assert got["attempts_lost"].sum() == pytest.approx(sessions, rel=0.12)
    inside = (got["hours_low"] <= time) & (time <= got["hours_high"])
    assert inside.sum() >= 4


def test_sessions_that_came_up_before_the_log_began_are_not_lost():
    lost, told = 0.0, 0.0
    for seed in range(3, 7):  # how many came up unseen is luck
        rng = np.random.default_rng(seed)
        users = [User(bad=(14.75, 26.7), rate=5.0, fails=0.4).live(rng) for _ in range(36)]
        lost += sum(u.sessions_lost() for u in users[:24])
        for user in users[:24]:
            roll_over(user, 21)
        told += measure(users).iloc[:24]["attempts_lost"].sum()
    assert told == pytest.approx(lost, rel=0.12)


def test_change_of_the_clock_moves_no_hour_of_work():
    def summer(table):
        moved = {}
        for name in table.columns.intersection(["time", "start", "end", "onset", "recovered_at"]):
            late = table[name] >= at(18)
            moved[name] = table[name].where(~late, table[name] - pd.Timedelta(hours=1))
        return table.assign(**moved)

    rng = np.random.default_rng(3)
    users = [User(bad=(14.75, 24.7)).live(rng) for _ in range(6)]
    users += [User(bad=None).live(rng) for _ in range(3)]
    plain, shifted = measure(users), measure(users, shown=summer)
    columns = ["hours_lost", "hours_low", "hours_high", "attempts_lost"]
    np.testing.assert_allclose(shifted[columns], plain[columns], rtol=0.02)


# --- the interval -------------------------------------------------------------------------------


KINDS = {
    "office": {},
    "late shift": {"begin": 13.5, "end": 22.0, "rate": 1.2, "varies": 0.3},
    "part-time": {"days": tuple(d for d in WORKDAYS if d % 7 in (0, 1, 3)), "end": 13.0},
    "across midnight": {"begin": 21.0, "end": 29.0, "rate": 3.0},
}


@pytest.mark.parametrize("habits", KINDS.values(), ids=KINDS)
def test_intervals_hold_the_truth_about_as_often_as_they_state(habits):
    hours, sessions = [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        users = [*office(rng, 10, **habits), *(User(bad=None, **habits) for _ in range(4))]
        got = measure(users, seed=seed)
        for user, row in zip(users, got.to_dict("records"), strict=True):
            if user.failed:
                hours.append(row["hours_low"] <= user.hours_lost() <= row["hours_high"])
                low, high = row["attempts_low"], row["attempts_high"]
                sessions.append(low <= user.sessions_lost() <= high)
    assert np.mean(hours) >= 0.75
    assert np.mean(sessions) >= 0.75


def test_hosts_parts_add_up_to_the_error_of_the_sum():
    draws = np.random.default_rng(1).normal(10, 1, (7, 4000)) + np.linspace(-2, 2, 4000)
    mean, low, high, share = losses._estimates(draws)
    half = np.subtract(*np.quantile(draws.sum(axis=0), (0.95, 0.05))) / 2
    assert share.sum() == pytest.approx(half)
    assert mean == pytest.approx(draws.mean(axis=1))
    assert low == pytest.approx(np.quantile(draws, 0.05, axis=1))
    assert high == pytest.approx(np.quantile(draws, 0.95, axis=1))
    assert not losses._estimates(np.zeros((2, 5)))[3].any()


def test_errors_that_hosts_have_in_common_do_not_average_out():
    users = [*office(np.random.default_rng(1), 24), *(User(bad=None) for _ in range(4))]
    got = measure(users).iloc[:24]
    for what in ("hours", "attempts"):
        alone = np.sqrt((((got[f"{what}_high"] - got[f"{what}_low"]) / 2) ** 2).sum())
        assert got[f"{what}_share"].sum() > 1.3 * alone
