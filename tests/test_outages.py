"""Claims about finding outages: of everybody, of a site, several, and none where there is none."""

from __future__ import annotations

import math

import naive
import numpy as np
import pandas as pd
import pytest
import worlds_cause as w
from test_explain import START, episodes_of, mask_of, suspect

from kitlib.cause import judge_cause
from kitlib.cause.competing import find_sites
from kitlib.explain import BASE_RATE, Panel, fault_rates, weigh
from kitlib.explain.outages import AT_SITE, Outage, find_outages, inside, inside_window
from kitlib.incident import load_incident

OPEN = load_incident("vpn-outage")


def rows_of(fails, hosts=12, days=20, often=2):
    return [(h, d, fails(h, d)) for h in range(hosts) for d in range(days) for _ in range(often)]


def day(number, hour=0):
    return START + pd.Timedelta(days=number, hours=hour)


def test_find_outages_finds_one_and_narrows_it_to_hours():
    panel = Panel.of(episodes_of(rows_of(lambda _, d: d in (7, 8))))
    (found,) = find_outages(panel, {})
    # START + 9 h is when everybody tries; a window is cut to where failures are.
    assert day(7) <= found.outage.start <= day(7, 9)
    assert day(8, 9) < found.outage.end <= day(8, 12)
    assert found.outage.site == ""
    assert found.outage.hosts == frozenset(panel.hosts)
    assert found.inside.sum() == 12 * 2 * 2


def test_find_outages_finds_two_that_lie_apart():
    panel = Panel.of(episodes_of(rows_of(lambda _, d: d in (4, 15))))
    found = find_outages(panel, {})
    assert sorted(one.outage.start.floor("D") for one in found) == [day(4), day(15)]
    assert not (found[0].inside & found[1].inside).any()


def test_find_outages_tells_an_outage_of_one_site_from_one_of_all():
    rows = rows_of(lambda h, d: h % 3 == 0 and d in (7, 8))
    panel = Panel.of(episodes_of(rows))
    sites = {str(site): frozenset(f"H{h}" for h in range(12) if h % 3 == site) for site in range(3)}
    (found,) = find_outages(panel, sites)
    assert found.outage.site == "0"
    assert found.outage.hosts == sites["0"]
    assert find_outages(panel, {})[0].outage.site == ""


@pytest.mark.parametrize("seed", range(4))
def test_find_outages_finds_none_where_hosts_fail_now_and_then(seed):
    rng = np.random.default_rng(seed)
    assert find_outages(Panel.of(episodes_of(rows_of(lambda *_: rng.random() < 0.05))), {}) == []


@pytest.mark.parametrize("seed", range(4))
def test_inside_window_equals_brute_force(seed):
    rng = np.random.default_rng(seed)
    rows = rows_of(lambda *_: rng.random() < 0.4, hosts=3, days=5, often=1)
    at = [1 <= d <= 2 for _, d, _ in rows]
    worlds = []
    for rate in fault_rates(BASE_RATE):
        for share in AT_SITE:
            log = 0.0
            for host in range(3):
                own = [(f, on) for (h, _, f), on in zip(rows, at, strict=True) if h == host]
                within, out = [f for f, on in own if on], [f for f, on in own if not on]
                usual = naive.trials(out + within, BASE_RATE) - naive.trials(out, BASE_RATE)
                log += naive.mix((share, naive.trials(within, rate)), (1 - share, usual))
            worlds.append(log)
    got = inside_window(Panel.of(episodes_of(rows)), np.array(at), AT_SITE)
    assert got == pytest.approx(naive.mean_exp(worlds), abs=1e-9)
    assert math.isfinite(got)


def test_outage_holds_its_hosts_from_its_start_up_to_its_end():
    outage = Outage(day(1), day(2), "", frozenset({"A"}))
    table = pd.DataFrame({"host": ["A", "A", "A", "B"], "time": [day(1), day(2), day(0), day(1)]})
    assert outage.inside(table).tolist() == [True, False, False, False]
    assert inside((outage, outage), table).tolist() == [True, False, False, False]
    assert inside((), table).tolist() == [False] * 4


def test_weigh_blames_a_change_on_top_of_an_outage_that_all_had():
    rows = rows_of(lambda h, d: d in (3, 4) or (h < 8 and d >= 8 + h // 2))
    true = suspect("true", mask_of(rows, lambda h, d: h < 8 and d >= 8 + h // 2))
    other = suspect("other", mask_of(rows, lambda h, d: h < 8 and d >= 8 + (7 - h) // 2))
    weights = weigh(Panel.of(episodes_of(rows)), [other, true])
    assert weights.changes[1] > 0.99
    (aside,) = weights.aside[1]
    assert aside.start.floor("D") == day(3)


def test_weigh_does_not_blame_a_change_for_two_outages_inside_its_rollout():
    rows = rows_of(lambda _, d: d in (9, 10, 14))
    late = suspect("late", mask_of(rows, lambda h, d: d >= 8 + h // 2))
    weights = weigh(Panel.of(episodes_of(rows)), [late])
    assert weights.shared_outage > 0.95
    assert len(weights.outages) == 2


def at_sites(world):
    """Rename the hosts of a world by three sites in turn."""
    sites = ("BER", "HAM", "MUC")
    return {name: f"{sites[n % 3]}-{n:03d}" for n, name in enumerate(world.names)}


def judged(world, names):
    tables = world.tables()
    host = {table: getattr(tables, table).replace({"host": names})
            for table in ("attempts", "exposure", "coverage")}  # fmt: skip
    return judge_cause(host["attempts"], host["exposure"], host["coverage"], OPEN)


@pytest.mark.parametrize("seed", [1, 2])
def test_judge_cause_names_the_outage_of_a_site(seed):
    world = w._rolled_out(seed)
    names = at_sites(world)
    members = {name for name, new in names.items() if new.startswith("HAM")}
    world.fault = w.fails_during(w.day(w.PATCHED + 2, 9), w.day(w.PATCHED + 5, 9), hosts=members)
    cause = judged(world, names)
    assert cause.status == "not_supported"
    assert cause.competing == ("site_outage",)
    (outage,) = cause.outages
    assert outage.site == "HAM"


@pytest.mark.parametrize(
    ("code", "name", "words"),
    [("789", "site_outage", "an outage of one site"), ("13806", "certificate", "a certificate")],
)
def test_judge_cause_says_whose_outage_it_was_without_any_change_and_what_it_was_about(
    code, name, words
):
    """Seen without any suspect too: one site's outage is not one that everybody had."""
    world = w.World(1, hosts=12, days=20)
    names = at_sites(world)
    members = {host for host, new in names.items() if new.startswith("HAM")}
    world.fault = w.fails_during(w.day(8), w.day(11), hosts=members, code=code)
    cause = judged(world, names)
    assert cause.status == "not_supported"
    assert cause.competing == (name,)
    assert words in cause.text
    assert "everybody" not in cause.text


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_judge_cause_blames_the_patch_beside_an_outage_of_a_day(seed):
    world = w.staggered(seed)
    guilty = world.fault
    outage = w.fails_during(w.day(10, 0), w.day(11, 0), code="809")
    world.fault = lambda *asked: outage(*asked) or guilty(*asked)
    cause = judged(world, {})
    assert cause.status == "supported"
    assert set(cause.changes) == {"KB5009543", "KB5009566"}
    assert [one.start.floor("D") for one in cause.outages] == [w.day(10)]
    tries = world.tables().attempts
    assert not cause.at_work(tries[tries["time"] < w.day(w.PATCHED)]).any()


def test_find_sites_needs_two_groups_of_three():
    assert find_sites(["WS0001", "WS0002", "WS0003"]) == {}
    assert find_sites(["A-1", "A-2", "A-3", "B-1", "B-2"]) == {}
    got = find_sites(["ber-1", "BER-2", "BER-3", "HAM01", "HAM02", "HAM03", "7"])
    assert got == {
        "BER": frozenset({"ber-1", "BER-2", "BER-3"}),
        "HAM": frozenset({"HAM01", "HAM02", "HAM03"}),
    }
