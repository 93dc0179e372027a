"""What the gateway saw of each try, and when it was down for everybody."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
import worlds_cause as w

from kitlib import schema
from kitlib.cause import judge_cause
from kitlib.gateway import find_outages, gateway_checks, in_outage, join_sessions, user_key
from kitlib.incident import load_incident

NAMED = load_incident("kb5009543")


TIMES = ("time", "time_low", "time_high")


def at(text):
    return pd.Timestamp(f"2022-{text}", tz="UTC")


def attempt(time, outcome="failure", *, user="CORP\\anna", host="PC1", code="789", duration=10.0):
    return {
        "host": host,
        "user": user,
        "connection": f"{{{time}}}",
        "time": at(time),
        "outcome": outcome,
        "code": code if outcome == "failure" else "",
        "duration": duration,
        "records": [f"{host}/Application#1"],
        "episode": 1,
    }


def session(
    time, action="session_started", *, user="anna", address="198.51.100.7", width="0s", **more
):
    return {
        "gateway": "mx1",
        "time": at(time),
        "time_low": at(time),
        "time_high": at(time) + pd.Timedelta(width),
        "time_basis": "utc",
        "user": user,
        "client_address": address,
        "action": action,
        "outcome": "success" if action == "session_started" else "unknown",
        **more,
    }


def tables(attempts, sessions):
    return schema.frame("attempts", attempts), schema.frame("sessions", sessions)


def seen(attempts, sessions):
    df = schema.check("gateway", join_sessions(*tables(attempts, sessions)))
    return list(zip(df["seen"], df["by"], strict=True))


@pytest.mark.parametrize(
    ("client", "gateway"),
    [("CORP\\Anna", "anna"), ("anna@corp.example", "ANNA"), ("anna", "corp\\anna")],
)
def test_user_key_is_the_same_at_both_ends(client, gateway):
    assert user_key(client) == user_key(gateway) == "anna"


def test_a_try_is_tied_by_user_and_time():
    log = [session("01-12 08:00:05"), session("01-12 10:00", user="bernd")]
    tries = [attempt("01-12 08:00", "success"), attempt("01-12 09:00")]
    assert seen(tries, log) == [("connected", "user"), ("silent", "")]


def test_a_line_without_a_user_is_tied_by_the_address_that_only_this_user_has():
    log = [
        session("01-11 08:00"),
        session("01-12 09:00:20", "negotiation_failed", user="", code="NO_PROPOSAL_CHOSEN"),
        session("01-12 12:00"),
    ]
    df = join_sessions(*tables([attempt("01-12 09:00")], log))
    assert (df["seen"].item(), df["by"].item()) == ("broke off", "address")
    assert df["gateway_code"].item() == "NO_PROPOSAL_CHOSEN"
    assert df["client_address"].item() == "198.51.100.7"


def test_an_address_of_two_users_ties_to_neither():
    log = [
        session("01-11 08:00"),
        session("01-11 09:00", user="bernd"),
        session("01-12 09:00:20", "negotiation_failed", user=""),
        session("01-12 12:00"),
    ]
    assert seen([attempt("01-12 09:00")], log) == [("silent", "")]


def test_a_second_try_a_minute_later_does_not_lend_its_success_to_the_first():
    log = [session("01-12 09:01:10"), session("01-12 12:00")]
    tries = [attempt("01-12 09:00"), attempt("01-12 09:01", "success")]
    assert seen(tries, log) == [("silent", ""), ("connected", "user")]


def test_a_minute_of_the_dashboard_holds_the_seconds_of_the_client():
    log = [session("01-12 09:00", width="60s"), session("01-12 12:00")]
    assert seen([attempt("01-12 09:00:50", "success", duration=3)], log) == [("connected", "user")]


@pytest.mark.parametrize("width", ["30min", "60min"])
def test_a_zone_whose_summer_time_is_open_ties_to_nothing(width):
    log = [session("01-12 09:00", width=width), session("01-12 06:00"), session("01-12 12:00")]
    assert seen([attempt("01-12 09:20")], log) == [("silent", "")]


def test_one_user_on_two_hosts_connects_on_the_one_that_says_so():
    log = [session("01-12 09:00:05"), session("01-12 12:00")]
    tries = [attempt("01-12 09:00"), attempt("01-12 09:00:01", "success", host="PC2")]
    assert seen(tries, log) == [("silent", ""), ("connected", "user")]


def test_a_printed_minute_of_a_success_is_not_lent_to_the_failure_before_it():
    log = [session("01-12 09:00", width="60s"), session("01-12 12:00")]
    tries = [
        attempt("01-12 09:00:05", duration=5),
        attempt("01-12 09:00:40", "success", duration=5),
    ]
    assert seen(tries, log) == [("silent", ""), ("connected", "user")]


def test_attempts_outside_the_gateways_log_are_not_called_silent():
    log = [session("01-12 09:00"), session("01-12 12:00")]
    assert seen([attempt("01-11 09:00"), attempt("01-13 09:00")], log) == []


def test_times_open_by_hours_tie_to_nothing():
    assert seen([attempt("01-12 09:00")], [session("01-12 00:00", width="26h")]) == []


def test_nothing_joined_with_nothing_is_an_empty_table():
    assert seen([], []) == []
    assert find_outages(*tables([], [])[::-1]).empty


def outages(attempts, sessions):
    df = schema.check("outages", find_outages(*tables(attempts, sessions)[::-1]))
    spans = df[["start", "end"]].apply(lambda column: column.dt.strftime("%m-%d %H:%M"))
    return list(zip(spans["start"], spans["end"], df["why"], strict=True))


def test_a_gateway_that_says_it_stopped_was_down_until_it_started():
    log = [
        session("01-12 08:00"),
        session("01-12 09:00", "gateway_stopped"),
        session("01-12 11:00", "gateway_started"),
    ]
    assert outages([], log) == [("01-12 09:00", "01-12 11:00", "said")]


def test_a_start_without_a_stop_does_not_say_since_when_the_gateway_was_down():
    """Someone restarts the service to mend what a change broke: it was up all morning."""
    log = [session("01-12 08:30"), session("01-12 11:00", "gateway_started")]
    assert outages([], log) == []


def test_a_stop_ends_with_the_first_word_that_shows_that_the_gateway_runs():
    log = [
        session("01-12 09:00", "gateway_stopped"),
        session("01-12 09:00:02", "session_ended"),
        session("01-12 09:05", "negotiation_started", user=""),
        session("01-12 17:00"),
    ]
    assert outages([], log) == [("01-12 09:00", "01-12 09:05", "said")]


def test_a_log_that_ends_with_a_stop_says_nothing_of_later():
    log = [session("01-12 08:00"), session("01-12 09:00", "gateway_stopped")]
    assert outages([], log) == [("01-12 09:00", "01-12 09:00", "said")]


def down(start, end, gateway):
    return [
        session(start, "gateway_stopped", gateway=gateway),
        session(end, "gateway_started", gateway=gateway),
    ]


def test_one_gateway_of_a_pair_that_is_down_cuts_nobody_off():
    log = [*down("01-12 09:00", "01-12 11:00", "mx1"), session("01-12 10:00", gateway="mx2")]
    assert outages([], log) == []


def test_two_gateways_that_are_down_one_after_the_other_count_while_both_are():
    log = [
        *down("01-12 09:00", "01-12 11:00", "mx1"),
        *down("01-12 10:00", "01-12 12:00", "mx2"),
        session("01-12 09:30", gateway="mx2"),
        session("01-12 11:30", gateway="mx1"),
    ]
    assert outages([], log) == [("01-12 10:00", "01-12 11:00", "said")]


def test_an_outage_in_which_clients_get_in_is_none():
    log = down("01-12 09:00", "01-12 11:00", "mx1")
    inside = [attempt("01-12 09:30"), attempt("01-12 10:00", "success")]
    assert outages(inside, log) == []
    edge = [attempt("01-12 09:30"), attempt("01-12 10:59", "success")]
    assert len(outages(edge, log)) == 1


def everybody(*times, outcome="failure"):
    return [attempt(time, outcome, user=f"u{n}", host=f"PC{n}") for time in times for n in range(3)]


def test_silence_while_three_hosts_try_in_vain_is_an_outage():
    log = [session("01-12 08:00"), session("01-12 12:00")]
    assert outages(everybody("01-12 09:00"), log) == [("01-12 08:00", "01-12 12:00", "silent")]


@pytest.mark.parametrize(
    "tries",
    [
        [],
        everybody("01-12 09:00")[:2],
        [*everybody("01-12 09:00"), attempt("01-12 09:30", "success")],
        everybody("01-12 13:00"),
    ],
    ids=["nobody tries", "two hosts", "one gets in", "after the log"],
)
def test_silence_otherwise_is_none(tries):
    assert outages(tries, [session("01-12 08:00"), session("01-12 12:00")]) == []


def test_silence_of_one_gateway_while_another_is_heard_of_is_none():
    log = [
        session("01-12 08:00"),
        session("01-12 12:00"),
        session("01-12 09:30", "negotiation_failed", gateway="mx2", user=""),
    ]
    assert outages(everybody("01-12 09:00"), log) == []


def test_a_gap_between_two_files_of_a_log_is_no_silence():
    log = [
        session("01-12 07:00", path="old.log"),
        session("01-12 08:00", path="old.log"),
        session("01-12 12:00", path="new.log"),
        session("01-12 13:00", path="new.log"),
    ]
    tries = everybody("01-12 09:00")
    assert outages(tries, log) == []
    assert seen(tries, log) == []  # nor is a try in it one that the gateway is silent about


def test_many_gateways_and_outages_are_quick_to_compare():
    log = [
        row
        for n in range(400)
        for row in down(f"01-{1 + n % 28:02} 01:00", f"01-{1 + n % 28:02} 02:00", f"mx{n}")
    ]
    tries = [attempt(f"01-{1 + n % 28:02} {n % 24:02}:30") for n in range(4000)]
    attempts, sessions = tables(tries, log)
    found = find_outages(sessions, attempts)
    assert in_outage(attempts["time"], found, why="said").sum() == sum(
        n % 24 == 1 for n in range(4000)
    )


def test_in_outage_marks_its_own_kind_only():
    log = [session("01-12 08:00"), session("01-12 12:00")]
    found = find_outages(*tables(everybody("01-12 09:00"), log)[::-1])
    times = pd.Series([at("01-12 09:00"), at("01-12 13:00"), pd.NaT])
    assert in_outage(times, found, why="silent").tolist() == [True, False, False]
    assert not in_outage(times, found, why="said").any()


def test_checks_say_that_the_gateway_confirms_the_clients():
    log = [session("01-11 08:00"), session("01-12 08:00:05"), session("01-13 08:00")]
    attempts, sessions = tables([attempt("01-12 08:00", "success"), attempt("01-12 09:00")], log)
    joined = join_sessions(attempts, sessions)
    same, up = gateway_checks(attempts, joined, find_outages(sessions, attempts), NAMED)
    assert same.passed is True
    assert up.passed is True
    assert "tells the same of 2" in same.text


def test_checks_without_a_gateway_log_are_none():
    empty = schema.empty("gateway"), schema.empty("outages")
    assert gateway_checks(schema.empty("attempts"), *empty, NAMED) == ()


def cut_off(tables, spans):
    """The same world, in which nobody got in during `spans`."""
    inside = pd.Series(data=False, index=tables.attempts.index)
    for start, end in spans:
        inside |= tables.attempts["time"].between(start, end)
    failed = {"outcome": "failure", "code": w.SYMPTOM}
    attempts = tables.attempts.assign(
        **{n: tables.attempts[n].mask(inside, value) for n, value in failed.items()}
    )
    return replace(tables, attempts=schema.coerce("attempts", attempts))


def of_world(tables, *, down=()):
    """The gateway's log of a world: a session for each success, and what `down` says of itself."""
    attempts = tables.attempts
    log = [
        {**session("01-12 08:00", user=row["user"] or row["host"]), "time": row["time"]}
        | {"time_low": row["time"], "time_high": row["time"]}
        for row in attempts[attempts["outcome"] == "success"].to_dict("records")
    ]
    for start, end in down:
        for time, action in ((start, "gateway_stopped"), (end, "gateway_started")):
            if time is not None:
                log.append({**session("01-12 08:00", action), "time_low": time, "time_high": time})
    return schema.frame("sessions", log)


def judged(tables, sessions):
    return judge_cause(tables.attempts, tables.exposure, tables.coverage, NAMED, sessions)


def check(cause, name):
    return next(check for check in cause.checks if check.name == name)


def test_a_gateway_that_was_up_leaves_the_verdict_and_adds_its_word():
    tables = w.staggered(1).tables()
    cause = judged(tables, of_world(tables))
    assert cause.status == "supported"
    assert check(cause, "gateway up").passed is True


def test_failures_in_an_outage_the_gateway_states_are_not_blamed_on_a_change():
    """Everybody patched in one night, and the gateway down for the days after it."""
    tables = w.big_bang(1).tables()
    failed = tables.attempts[tables.attempts["outcome"] == "failure"]["time"]
    failed = failed[failed >= w.day(w.PATCHED, 23)]
    down = [(failed.min() - pd.Timedelta("1h"), failed.max() + pd.Timedelta("1h"))]
    tables = cut_off(tables, down)
    alone = judged(tables, schema.empty("sessions"))
    assert alone.status == "no_control"
    cause = judged(tables, of_world(tables, down=down))
    assert cause.status == "not_supported"
    assert cause.competing == ("shared_outage",)
    assert cause.changes == ()
    assert check(cause, "gateway up").passed is False
    assert "says that it was down" in cause.text


def test_a_short_outage_inside_a_guilty_rollout_is_set_aside():
    tables = w.staggered(2).tables()
    middle = tables.attempts["time"].median()
    down = [(middle, middle + pd.Timedelta("3h"))]
    tables = cut_off(tables, down)
    cause = judged(tables, of_world(tables, down=down))
    assert cause.status == "supported"
    assert "lie in outages the gateway states" in check(cause, "gateway up").text


FALSE_OUTAGES = {
    "restarts to mend it": [(None, w.day(number, 12)) for number in range(w.PATCHED, w.DAYS)],
    "a stop without a start": [(w.day(w.PATCHED - 1), None)],
    "a reload a day": [
        (w.day(number, 12), w.day(number, 12) + pd.Timedelta("20s"))
        for number in range(w.PATCHED, w.DAYS)
    ],
    "a stop and a start around all of it": [(w.day(w.PATCHED - 1), w.day(w.DAYS))],
}


@pytest.mark.parametrize("down", FALSE_OUTAGES.values(), ids=FALSE_OUTAGES)
@pytest.mark.parametrize("seed", range(3))
def test_what_the_gateway_says_of_itself_saves_no_guilty_change(down, seed):
    tables = w.staggered(seed).tables()
    assert judged(tables, of_world(tables, down=down)).status == "supported"


def test_a_gateway_that_hears_nobody_until_it_is_restarted_saves_no_guilty_change():
    """All are patched and nothing reaches the gateway; restarted, it still hears nobody."""
    world = w.big_bang(1)
    world.fault, world.base = w.fails_under(w.BAD, chance=1.0), 0.0
    tables = world.tables()
    sessions = of_world(tables, down=[(None, w.day(world.days - 1, 23))])
    cause = judged(tables, sessions)
    assert cause.status == "no_control"
    assert cause.changes == judged(tables, schema.empty("sessions")).changes
    assert check(cause, "gateway up").passed is None  # it cannot tell whose fault its silence is


@pytest.mark.parametrize("make", w.INNOCENT)
@pytest.mark.parametrize("seed", range(2))
def test_what_the_gateway_says_of_itself_blames_no_innocent_change(make, seed):
    tables = make(seed).tables()
    for down in FALSE_OUTAGES.values():
        assert not judged(tables, of_world(tables, down=down)).blames


def test_a_gateway_of_others_that_is_down_saves_no_guilty_change():
    """The RADIUS log holds a wireless access point as well, and that one was switched off."""
    world = w.big_bang(1)
    world.fault, world.base = w.fails_under(w.BAD, chance=1.0), 0.0
    tables = world.tables()
    point = [
        {**session("01-12 08:00", action, gateway="ap7"), **dict.fromkeys(TIMES, time)}
        for action, time in (
            ("gateway_stopped", w.day(w.PATCHED)),
            ("gateway_started", w.day(world.days)),
        )
    ]
    sessions = schema.concat("sessions", [of_world(tables), schema.frame("sessions", point)])
    assert judged(tables, sessions).status == "no_control"


def test_failures_beside_the_outage_that_are_too_few_to_judge_stay_open():
    world = w.World(1, hosts=3, base=0.0)
    world.stagger(world.names, w.PATCHED, w.PATCHED + 3)
    world.fault = w.fails_under(w.BAD, chance=1.0)
    down = [(w.day(w.PATCHED + 4), w.day(w.DAYS - 4))]
    tables = cut_off(world.tables(), down)
    cause = judged(tables, of_world(tables, down=down))
    assert (cause.status, cause.competing) == ("insufficient", ())
