"""Claims about when the fault was active: the change, the outages and the attempts together."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from kitlib import hours, schema, spells
from kitlib.cause import Cause
from kitlib.explain.outages import Outage
from kitlib.hours import DAY, HOUR
from kitlib.spells import Signs, Spell, find_spells

LAST = pd.Timestamp("2022-01-30", tz="UTC").value  # day 20
NONE = (pd.NaT, pd.NaT, pd.NaT)
DAY_0 = pd.Timestamp("2022-01-10", tz="UTC")


def at(day, hour=0.0):
    return DAY_0 + pd.Timedelta(days=day, hours=hour)


def ns(day, hour=0.0):
    return at(day, hour).value


def cause(*bad, status="supported", outages=()):
    """Return a verdict; `bad` are (host, from day, to day or None)."""
    rows = [
        {"host": h, "start": at(a), "end": None if b is None else at(b), "change": "KB1"}
        for h, a, b in bad
    ]
    return Cause(
        status=status,
        changes=("KB1",),
        competing=(),
        probability=0.99,
        text="",
        checks=(),
        suspects=schema.empty("suspects"),
        onset=NONE,
        bad=schema.frame("exposure", rows),
        cured=schema.empty("exposure"),
        outages=outages,
    )


def tries(text, day=10.5):
    """``x`` failed with the symptom, ``.`` worked; one try an hour from `day` on."""
    times = np.array([ns(day) + n * HOUR for n in range(len(text))], dtype=np.int64)
    failed = np.array([mark == "x" for mark in text])
    return Signs(tries=times, worked=times[~failed], symptom=times[failed])


NO_LOG = (spells.NOTHING, spells.NOTHING)


def logged(*days):
    """Return from and to of the days that a log covers."""
    return tuple(
        np.array([ns(d) for d in side], dtype=np.int64) for side in zip(*days, strict=True)
    )


def one(signs, verdict, *, back=None, by="", last=LAST, onset=True, seen=NO_LOG):
    row = {"host": "A", "onset": at(11) if onset else None, "recovered_at": back}
    hosts = schema.frame("hosts", [{**row, "recovered_by": by}])
    return find_spells(hosts, [signs], {"A": last}, verdict, [seen])[0]


def test_spell_is_the_time_of_the_change_to_the_recovery():
    got = one(tries("xxxx"), cause(("A", 10, 12)), back=at(13))
    assert got == (Spell((ns(10), ns(10)), (ns(12), ns(12)), ns(10.5)),)


def test_spell_ends_where_the_evidence_does():
    got = one(tries("xxxx"), cause(("A", 10, None)), last=ns(14))
    assert got[0].end == (ns(14), ns(14))


def test_spell_of_a_host_still_out_may_end_with_the_last_record_of_the_fleet():
    hosts = schema.frame("hosts", [{"host": "A", "onset": at(11)}, {"host": "B"}])
    last, signs = {"A": ns(14, 9), "B": ns(14, 17)}, [tries("xxx"), Signs()]
    got = find_spells(hosts, signs, last, cause(("A", 10, None)), [NO_LOG] * 2)
    assert got[0][0].end == (ns(14, 9), ns(14, 17))
    last["B"] = ns(16)
    got = find_spells(hosts, signs, last, cause(("A", 10, None)), [NO_LOG] * 2)
    assert got[0][0].end == (ns(14, 9), ns(14, 9))


def test_host_that_was_not_affected_has_no_spell():
    assert one(tries("...."), cause(("A", 10, 12)), onset=False) == ()


def test_change_that_came_back_gives_two_spells_and_states_that_meet_one():
    assert len(one(tries("xxxx"), cause(("A", 10, 12), ("A", 13, 15)))) == 2
    assert len(one(tries("xxxx"), cause(("A", 10, 12), ("A", 12, 15)))) == 1


def test_fault_that_begins_late_begins_between_the_last_success_and_the_first_failure():
    got = one(tries("....xxxxxx"), cause(("A", 10, 12)))[0]
    assert got.start == (ns(10.5) + 3 * HOUR, ns(10.5) + 4 * HOUR)
    assert got.felt == ns(10.5) + 4 * HOUR


def test_single_failure_long_before_is_not_the_begin_of_the_fault():
    got = one(tries("..x.....xxxxxxxxx"), cause(("A", 10, 12)))[0]
    assert got.felt == ns(10.5) + 8 * HOUR


def test_fault_that_fails_half_of_the_tries_is_active_from_the_change_on():
    got = one(tries(".x..xx.x.xx.x"), cause(("A", 10, 12)))[0]
    assert got.start == (ns(10), ns(10))
    assert got.felt == ns(10.5) + HOUR


def test_recovery_without_a_change_lies_between_the_last_failure_and_the_success():
    got = one(tries("xxxxx..."), cause(("A", 10, None)), back=at(10.5, 5), by="other")[0]
    assert got.end == (ns(10.5) + 4 * HOUR, ns(10.5) + 5 * HOUR)


def test_removal_says_when_a_fault_ended_even_if_a_later_one_ended_unsaid():
    got = one(tries("xx"), cause(("A", 10, 12), ("A", 14, None)), back=at(15), by="other")
    assert got[0].end == (ns(12), ns(12))


def test_outage_says_itself_when_it_ended(outage):
    verdict = cause(status="not_supported", outages=(outage(10.25, 11),))
    got = one(tries("xxxxx"), verdict, back=at(13), by="other")
    assert got[0].end == (ns(11), ns(11))


def test_span_without_a_failure_counts_in_full():
    got = one(tries("xxx"), cause(("A", 10, 12), ("A", 14, 16)))
    assert got[1] == Spell((ns(14), ns(14)), (ns(16), ns(16)))


def test_outage_that_everybody_had_is_not_the_change_s(outage):
    got = one(tries("xxxxxx"), cause(("A", 10, 12), outages=(outage(10.75, 11),)))
    assert [(s.start[0], s.end[0]) for s in got] == [(ns(10), ns(10.75)), (ns(11), ns(12))]


def test_outage_that_is_to_blame_is_the_spell(outage):
    got = one(tries("xxxxxx"), cause(status="not_supported", outages=(outage(10.25, 11),)))
    assert [(s.start[0], s.end[0]) for s in got] == [(ns(10.25), ns(11))]


@pytest.fixture
def outage():
    return lambda a, b: Outage(at(a), at(b), "", frozenset({"A"}))


def naive_bouts(text, day=10.5):
    out, start, time = [], None, 0
    for n, mark in enumerate(text):
        before, time = time, ns(day) + n * HOUR
        if mark == "x" and start is None:
            start = time
        if mark == "." and start is not None:
            out.append((start, (before, time)))
            start = None
    return [*out, (start, (ns(20), ns(20)))] if start is not None else out


@pytest.mark.parametrize("text", ["xx..x.x", "..", "x", ".x.xxx", "xxxx"])
def test_without_a_cause_the_spells_end_between_the_last_failure_and_the_next_success(text):
    got = one(tries(text), cause(status="not_supported"))
    assert [(s.start[0], s.end) for s in got] == naive_bouts(text)


# --- what no log shows ---------------------------------------------------------------------------


def fleet(bad, signs, seen, *, by="", back=None):
    names = [f"H{n}" for n in range(len(signs))]
    rows = [{"host": h, "onset": at(11), "recovered_at": back, "recovered_by": by} for h in names]
    verdict = cause(*((h, *span) for h, span in zip(names, bad, strict=True)))
    last = dict.fromkeys(names, LAST)
    return find_spells(schema.frame("hosts", rows), signs, last, verdict, seen)


def test_fault_that_began_before_the_log_began_with_the_change():
    got = one(tries("xxx", day=14.5), cause(("A", 10, 16)), seen=logged((14, 20)))[0]
    assert got == Spell((ns(10), ns(10)), (ns(16), ns(16)), ns(14.5), blind=True, hidden=True)


def test_log_that_reaches_back_hides_nothing():
    got = one(tries("xxx", day=14.5), cause(("A", 10, 16)), seen=logged((9, 20)))[0]
    assert not got.hidden


def test_success_in_the_log_says_that_the_fault_began_in_it():
    got = one(tries("....xxxx", day=14.5), cause(("A", 10, 16)), seen=logged((14, 20)))[0]
    assert got.start == (ns(14.5, 3), ns(14.5, 4))
    assert not got.hidden


def test_fault_begins_unseen_as_late_as_elsewhere():
    late = "....xxxxxx"
    signs = [tries(late), tries(late), tries("xxx", day=14.5)]
    seen = [logged((1, 20))] * 2 + [logged((14, 20))]
    got = fleet([(10, 16)] * 3, signs, seen)
    lag = (ns(10.5, 3) + ns(10.5, 4)) // 2 - ns(10)
    assert got[2][0].start == (ns(10) + lag, ns(10) + lag)


def test_fault_begins_unseen_before_it_is_seen():
    late = "....xxxxxx"
    signs = [tries(late, day=15.5), tries("xxx", day=14.5)]
    got = fleet([(10, 16), (14, 16)], signs, [logged((1, 20)), logged((14.4, 20))])
    assert got[1][0].start == (ns(14.5), ns(14.5))


def test_change_of_which_no_record_is_left_came_when_it_did_to_others():
    hosts = schema.frame("hosts", [{"host": h, "onset": at(11)} for h in "ABC"])
    verdict = cause(("A", 10, 16), ("B", 12, 16), ("C", 13, 16))
    verdict.bad.loc[2, "start"] = pd.NaT
    signs = [tries("xx", day=12.5)] * 2 + [tries("xx", day=14.5)]
    seen = [logged((1, 20))] * 2 + [logged((14, 20))]
    last = dict.fromkeys("ABC", LAST)
    got = find_spells(hosts, signs, last, verdict, seen)[2][0]
    assert got.hidden
    assert ns(10) < got.start[0] < got.start[1] < ns(12)
    seen[2] = logged((9, 20))  # its log is older than any such change
    got = find_spells(hosts, signs, last, verdict, seen)[2][0]
    assert (got.hidden, got.start) == (False, (ns(9), ns(9)))


# --- what ended for all at once ------------------------------------------------------------------


def mended(*hours_failed):
    """Hosts whose tries fail for so many hours, and that work from hour nine on."""
    signs = [tries("x" * n) for n in hours_failed]
    return fleet(
        [(10, None)] * len(signs), signs, [NO_LOG] * len(signs), by="other", back=at(10.5, 9)
    )


def test_ends_without_a_change_that_hold_one_time_lie_between_the_latest_failure_and_first_success():
    got = [own[0] for own in mended(3, 5, 8, 2, 6)]
    assert {(s.end, s.common) for s in got} == {((ns(10.5, 7), ns(10.5, 9)), True)}
    luck = np.linspace(0, 1, hours.SAMPLES)
    ends = [s.drawn(np.random.default_rng(n), luck)[1] for n, s in enumerate(got)]
    assert all((end == ends[0]).all() for end in ends)


def test_few_ends_are_no_sign_of_a_common_one():
    assert {own[0].end[0] for own in mended(3, 5, 8)} == {ns(10.5, n - 1) for n in (3, 5, 8)}


def test_ends_that_hold_no_one_time_stay_apart():
    text = ["xx", "xxxx", "xxxxxx", "xxxxxxxx"]
    signs = [tries(t) for t in text]
    rows = [
        {
            "host": f"H{n}",
            "onset": at(11),
            "recovered_at": at(10.5, len(t)),
            "recovered_by": "other",
        }
        for n, t in enumerate(text)
    ]
    verdict = cause(*((f"H{n}", 10, None) for n in range(4)))
    last = {f"H{n}": LAST for n in range(4)}
    got = find_spells(schema.frame("hosts", rows), signs, last, verdict, [NO_LOG] * 4)
    assert not any(own[0].common for own in got)


@pytest.mark.parametrize("seed", range(5))
def test_greatest_stretch_equals_trying_all(seed):
    values = np.random.default_rng(seed).normal(0, 1, 12)
    first, last = spells._greatest(values)
    every = [values[a:b].sum() for a, b in combinations(range(13), 2)]
    assert values[first : last + 1].sum() == pytest.approx(max(every))


def test_spans_are_joined_and_cut_as_sets_of_days_are():
    rng = np.random.default_rng(4)
    for _ in range(20):
        drawn = [tuple(sorted(rng.integers(0, 30, 2).tolist())) for _ in range(4)]
        *parts, hole = [(a, b) for a, b in drawn if a < b] or [(0, 1), (3, 4)]
        got = spells._without(spells._joined(parts), hole)
        want = {d for a, b in parts for d in range(a, b)} - set(range(*hole))
        assert [d for a, b in got for d in range(a, b)] == sorted(want)


def test_ends_of_a_spell_are_drawn_between_their_instants():
    spell = Spell((ns(10), ns(10)), (ns(11), ns(12)))
    low, high = spell.drawn(np.random.default_rng(1), np.zeros(hours.SAMPLES))
    assert (low == ns(10)).all()  # to the nanosecond: a success at that instant must not slip in
    assert high.min() >= ns(11)
    assert high.max() <= ns(12)
    assert high.std() / DAY == pytest.approx(12**-0.5, rel=0.1)
