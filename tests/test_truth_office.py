"""The truth of the founding office and its like follows from the world, not from the analysis."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from simulated import records, strings, told_by, truth_of
from simulated_office import FATES, SEED, host_of, written_office
from simulated_three_hosts import SMALL, small

from kitlib.schema import STATUSES
from kitlib.simulate.fleet import load_scenario
from kitlib.simulate.logs import write_logs
from kitlib.simulate.truth import truth
from kitlib.simulate.world import grow


@pytest.fixture(scope="module")
def office(tmp_path_factory, root):
    return written_office(tmp_path_factory.mktemp("office"), root)


@pytest.fixture(scope="module")
def world():
    return grow(load_scenario("founding-office"), seed=SEED)


@pytest.fixture(scope="module")
def told(office):
    return told_by(office)


def test_every_fate_of_the_founding_office_is_there(told):
    found = {h["host"]: (h["status"], h["recovered_by"], h["at_risk"]) for h in told["hosts"]}
    assert found == FATES
    assert {status for status, _, _ in FATES.values()} == set(STATUSES)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_fates_do_not_depend_on_the_seed(seed):
    world = grow(load_scenario("founding-office"), seed=seed)
    logs = {host.name: list(write_logs(world, host)) for host in world.hosts}
    found = {
        h["host"]: (h["status"], h["recovered_by"], h["at_risk"])
        for h in truth(world, logs)["hosts"]
    }
    assert found == FATES


def test_truth_names_the_labels_of_the_one_guilty_change(told):
    assert told["verdict"] == {
        "status": "supported",
        "changes": ["KB5009543", "KB5009557", "KB5009566"],
        "competing": [],
    }


def test_truth_counts_what_a_plain_reading_of_the_logs_finds(office, told):
    damaged = {d["host"] for d in told["defects"] if d["kind"] == "damaged"}
    for host in told["hosts"]:
        if host["host"] in damaged:
            continue
        codes = [
            strings(payload)[3] if number == 20227 else "connected"
            for _, _, provider, number, _, payload in records(
                office / host["host"] / "Application.evtx"
            )
            if provider == "RasClient" and number in (20225, 20227)
        ]
        tries = [code for code in codes if code not in ("631", "756")]
        assert len(tries) == host["visible_attempts"], host["host"]
        assert tries.count("789") == host["visible_failures"], host["host"]


def test_sessions_lost_are_about_a_days_habit_for_each_day_down(told, world):
    for name in ("PC-HUGO", "LT-GRETA", "LT-EMMA", "PC-ANNA"):
        host, habits = host_of(world, name), host_of(world, name).host.habits
        days = sum(
            any(low <= shift[0] < high for low, high, _ in host.broken)
            for shift in host.presence.shifts
        )
        lost = truth_of(told, name)["sessions_lost"]
        assert 0.6 * days < lost < habits.sessions_per_day * 1.1 * (days + 1), name
        assert truth_of(told, "LT-KLARA")["sessions_lost"] == 0.0


def test_a_verdict_that_blames_nothing_names_no_change(tmp_path):
    text = SMALL.replace('status = "supported"', 'status = "insufficient"')
    told = told_by(small(tmp_path, text))
    assert told["verdict"]["changes"] == []
    assert truth_of(told, "PC-A")["exposed_from"] is not None


def test_exposure_is_where_a_bad_revision_was_in_effect(world):
    bad = {"win10-21h2": 1466, "win10-20h2": 1466, "win11-21h2": 434, "win10-1809": 2452}
    for host in world.hosts:
        time = world.start
        while time < world.end:
            exposed = any(low <= time < high for low, high in host.exposures)
            wanted = host.deeds.revision(time) == bad.get(host.branch.name)
            assert exposed == wanted, (host.name, time)
            time += timedelta(minutes=17)


def test_guilty_failures_happen_only_under_exposure_and_always_there(world):
    for host in world.hosts:
        for attempt in host.attempts:
            exposed = any(low <= attempt.start < high for low, high in host.exposures)
            if attempt.outcome != "cancelled":
                assert (attempt.code == 789) == exposed, (host.name, attempt)


def test_attempts_are_made_at_work_on_a_running_host(world):
    for host in world.hosts:
        for attempt in host.attempts:
            assert host.presence.on(attempt.start), (host.name, attempt)
            assert any(low <= attempt.start for low, _ in host.presence.shifts)
            assert not any(low <= attempt.start < high for low, high in host.deeds.away)
            local = world.window.local(attempt.start)
            assert local.weekday() < 5
            assert local.date() not in world.window.holidays


def test_users_who_cannot_connect_go_on_trying(world):
    for name in ("PC-HUGO", "LT-GRETA", "LT-EMMA"):
        host = host_of(world, name)
        tried = {world.window.local(a.start).date() for a in host.attempts}
        shifts = [world.window.local(low).date() for low, _ in host.presence.shifts]
        low = world.window.local(host.exposures[-1][0]).date()
        days = [day in tried for day in shifts if day > low]
        assert not any(
            not a and not b and not c for a, b, c in zip(days, days[1:], days[2:], strict=False)
        )


def test_an_attempt_that_fails_is_repeated_two_to_five_times(world):
    host = host_of(world, "PC-HUGO")
    burst, sizes = [host.attempts[0]], []
    for before, attempt in pairwise(host.attempts):
        if attempt.start - before.closed > timedelta(minutes=2):
            sizes.append(len(burst))
            burst = []
        burst.append(attempt)
    failing = sizes[-20:]
    assert max(failing) <= 7
    assert sum(size >= 2 for size in failing) >= 15


def test_baseline_failures_are_rare_on_unpatched_hosts(world):
    tries = [
        a
        for name in ("LT-KLARA", "LT-LEON", "PC-MARIA")
        for a in host_of(world, name).attempts
        if a.outcome != "cancelled"
    ]
    assert 0.0 < sum(a.outcome == "failure" for a in tries) / len(tries) < 0.08


def test_user_hours_lost_are_working_hours_under_the_fault_counted_minute_by_minute(world, told):
    for host in world.hosts:
        stated = truth_of(told, host.name)
        broken = [a.start for a in host.attempts if a.fault]
        minutes = 0
        recovered = stated["recovered_at"]
        end = datetime.fromisoformat(recovered) if recovered else world.end
        time = broken[0] if broken else world.end
        while time < end:
            at_work = any(low <= time < high for low, high in host.presence.shifts)
            minutes += at_work and any(low <= time < high for low, high, _ in host.broken)
            time += timedelta(minutes=1)
        assert abs(minutes / 60 - stated["user_hours_lost"]) < 0.6, host.name


def test_times_of_a_recovered_host_are_in_order(told):
    for name in ("PC-ANNA", "PC-BERND", "LT-DAVID", "LT-PAUL"):
        host = truth_of(told, name)
        times = [host[key] for key in ("exposed_from", "onset", "cured_at", "recovered_at")]
        assert times == sorted(times)
    assert [to is None for _, to in truth_of(told, "LT-EMMA")["exposure"]] == [False, True]


def test_a_damaged_log_has_lost_exactly_what_the_truth_says(office, told):
    defect = next(d for d in told["defects"] if d["kind"] == "damaged")
    path = office / defect["host"] / defect["file"]
    whole = path.read_bytes()
    first, last = defect["record_ids"]
    assert defect["records_lost"] == last - first + 1
    at = 4096
    assert whole[at : at + 8] != b"ElfChnk\0"
    kept = office.parent / "rest.evtx"
    kept.write_bytes(whole[:at] + whole[at + 65536 :])
    assert records(kept)[0][0] == last + 1


def test_a_rolled_log_begins_late_with_a_high_id(office, told):
    defect = next(d for d in told["defects"] if d["kind"] == "rolled")
    rows = records(office / defect["host"] / defect["file"])
    assert rows[0][1] >= datetime.fromisoformat(defect["nothing_before"])
    assert rows[0][0] > defect["records_lost"]
    assert not any(row[2] == "RasClient" for row in rows)


def test_quiet_outage_hits_patched_and_unpatched_alike_and_blames_nothing():
    world = grow(load_scenario("quiet-outage"), seed=5)
    logs = {host.name: list(write_logs(world, host)) for host in world.hosts}
    told = truth(world, logs)
    assert told["verdict"] == {
        "status": "not_supported",
        "changes": [],
        "competing": ["shared_outage"],
    }
    hit = [h for h in told["hosts"] if h["onset"]]
    assert {h["branch"] for h in hit} >= {"win10-21h2", "win10-1809"}
    assert {(h["status"], h["recovered_by"], h["at_risk"]) for h in hit} == {
        ("recovered", "other", False)
    }
    outage = (datetime(2022, 1, 13, 5, 30, tzinfo=UTC), datetime(2022, 1, 14, 18, tzinfo=UTC))
    for host in world.hosts:
        for attempt in host.attempts:
            if attempt.fault:
                assert attempt.code == 809
                assert outage[0] <= attempt.start < outage[1]


def test_big_bang_leaves_no_host_unpatched_and_no_reversal():
    world = grow(load_scenario("big-bang"), seed=5)
    starts = [host.exposures[0][0] for host in world.hosts]
    assert len(starts) == 16
    assert max(starts) - min(starts) < timedelta(hours=3)
    assert all(host.exposures == ((host.exposures[0][0], world.end),) for host in world.hosts)


def test_simulate_imports_nothing_of_the_analysis():
    code = (
        "import sys, kitlib.simulate.fleet; print(*[m for m in sys.modules if m[:6] == 'kitlib'])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    above = {m for m in done.stdout.split() if not m.startswith("kitlib.simulate")}
    assert above <= {"kitlib", "kitlib.errors", "kitlib.schema"}
