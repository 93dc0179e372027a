"""Faults whose time is drawn: one span for all hosts or one for each, and what they cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from simulated import changed, file_of, told, world_of
from simulated_fleet import CALM, OUTAGE, TEXT, by_name, ras_failures

from kitlib.simulate.fleet import simulate
from kitlib.simulate.usage import union


def spans(world):
    return {host.name: [(low, high) for low, high, _ in host.broken] for host in world.hosts}


def test_a_drawn_outage_is_one_for_all_hosts_and_another_for_another_seed(tmp_path):
    seen = {}
    for seed in range(6):
        world = world_of(tmp_path, CALM, seed=seed, hosts=6)
        found = {span for mine in spans(world).values() for span in mine}
        assert len(found) == 1
        assert all(spans(world).values())
        ((low, high),) = found
        assert datetime(2022, 1, 10, 5, tzinfo=UTC) <= low <= datetime(2022, 1, 12, 5, tzinfo=UTC)
        assert timedelta(hours=20) <= high - low <= timedelta(hours=30)
        seen[seed] = (low, high)
    assert len(set(seen.values())) == 6
    assert len({high - low for low, high in seen.values()}) == 6


def test_a_drawn_outage_is_in_the_written_logs_and_nowhere_else(tmp_path):
    out = simulate(file_of(tmp_path, CALM), seed=2, out=tmp_path / "out", hosts=6)
    world = world_of(tmp_path, CALM, seed=2, hosts=6)
    low, high = spans(world)[world.hosts[0].name][0]
    for host in world.hosts:
        failed = [time for time, code in ras_failures(out / host.name / "Application.evtx")
                  if code == 809]  # fmt: skip
        inside = [t for t in failed if low <= t < high + timedelta(minutes=1)]
        assert len(inside) >= 2
        assert len(failed) - len(inside) <= 4  # ordinary life has the code as well


def test_a_stated_start_may_have_a_drawn_length(tmp_path):
    drawn = "start_between = [2022-01-10T06:00:00, 2022-01-12T06:00:00]"
    text = changed(CALM, drawn, "start = 2022-01-11T07:00:00")
    found = {spans(world_of(tmp_path, text, seed=s, hosts=3))["WS0001"][0] for s in range(4)}
    assert {low for low, _ in found} == {datetime(2022, 1, 11, 6, tzinfo=UTC)}
    assert len({high for _, high in found}) == 4


def test_a_drawn_outage_drops_the_lines_that_are_up(tmp_path):
    world = world_of(tmp_path, CALM, seed=3)
    low = spans(world)["WS0001"][0][0]
    for host in world.hosts:
        assert host.presence.drops == (low,)
        assert not any(a.end and a.start < low < a.end for a in host.attempts)


def test_faults_of_ones_own_are_drawn_for_each_bitten_host(tmp_path):
    text = changed(CALM, 'name = "outage"', 'name = "outage"\nown = true\nshare = 0.5')
    world = world_of(tmp_path, text, hosts=40)
    bitten = {name: mine for name, mine in spans(world).items() if mine}
    assert 12 <= len(bitten) <= 28
    assert all(len(mine) == 1 for mine in bitten.values())
    assert len({mine[0] for mine in bitten.values()}) == len(bitten)
    assert all(host.presence.drops == () for host in world.hosts)
    smaller = spans(world_of(tmp_path, text, hosts=12))
    assert all(mine == spans(world)[name] for name, mine in smaller.items() if name in bitten)


def test_faults_of_ones_own_are_of_the_world_in_the_truth(tmp_path):
    text = changed(CALM, 'name = "outage"', 'name = "outage"\nown = true\nshare = 0.5')
    document = told(world_of(tmp_path, text))
    assert document["verdict"]["status"] == "not_supported"
    hit = [h for h in document["hosts"] if h["onset"]]
    assert hit
    assert {(h["status"], h["recovered_by"]) for h in hit} == {("recovered", "other")}


def test_union_joins_spans_that_touch_or_overlap():
    times = [datetime(2022, 1, day, tzinfo=UTC) for day in range(1, 9)]
    one, two, three, four, five, six, seven, _ = times
    assert union([(three, five), (one, two), (two, three)]) == [(one, five)]
    assert union([(five, six), (one, four), (two, three)]) == [(one, four), (five, six)]
    assert union([(one, two), (six, seven)]) == [(one, two), (six, seven)]
    assert union([]) == []


DRAWN_OUTAGE = (
    "start_between = [2022-01-10T06:00:00, 2022-01-12T06:00:00]\nlasts_hours = [20.0, 30.0]"
)


def test_hours_under_two_faults_at_once_count_once(tmp_path):
    text = CALM + changed(OUTAGE, "outage", "second")
    fixed = "start = 2022-01-11T06:00:00\nend = 2022-01-12T06:00:00"
    both = told(world_of(tmp_path, changed(text, DRAWN_OUTAGE, fixed)))
    for host in both["hosts"]:
        assert host["user_hours_lost"] <= 9.0


@pytest.mark.parametrize(
    ("start", "end", "least", "most"),
    [("2022-01-04", "2022-01-06", -1.5, 1.5), ("2022-01-13", "2022-01-15", 2.0, 6.0)],
)
def test_the_losses_of_a_guilty_change_leave_out_what_an_outage_cost(
    tmp_path, start, end, least, most
):
    """Before the patch it takes nothing away from the patch's losses, during them its own part."""
    span = f"start = {start}T00:00:00\nend = {end}T00:00:00\nprobability = 0.9"
    both = by_name(world_of(tmp_path, TEXT + changed(OUTAGE, DRAWN_OUTAGE, span)))
    for host in world_of(tmp_path, TEXT).hosts:
        less = host.expected - both[host.name].expected
        if host.name[3:5] == "-A":
            assert least < less < most
        else:
            assert (host.expected, both[host.name].expected) == (0.0, 0.0)
