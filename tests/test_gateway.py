"""What the gateway saw of each try, and when it was down for everybody."""

from __future__ import annotations

import pandas as pd
import pytest
import worlds_cause as w

from kitlib import schema
from kitlib.cause import judge_cause
from kitlib.gateway import find_outages, gateway_checks, in_outage, join_sessions, user_key
from kitlib.incident import load_incident

NAMED = load_incident("kb5009543")


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


def test_a_start_without_a_stop_was_a_crash_after_the_last_word():
    log = [session("01-12 08:30"), session("01-12 11:00", "gateway_started")]
    assert outages([], log) == [("01-12 08:30", "01-12 11:00", "said")]


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


def of_world(world, *, down=()):
    """The gateway's log of a world: a session for each success, and what `down` says of itself."""
    attempts = world.tables().attempts
    log = [
        {**session("01-12 08:00", user=row["user"] or row["host"]), "time": row["time"]}
        | {"time_low": row["time"], "time_high": row["time"]}
        for row in attempts[attempts["outcome"] == "success"].to_dict("records")
    ]
    for start, end in down:
        for time, action in ((start, "gateway_stopped"), (end, "gateway_started")):
            log.append({**session("01-12 08:00", action), "time_low": time, "time_high": time})
    return schema.frame("sessions", log)


def judged(world, sessions):
    tables = world.tables()
    return judge_cause(tables.attempts, tables.exposure, tables.coverage, NAMED, sessions)


def check(cause, name):
    return next(check for check in cause.checks if check.name == name)


def test_a_gateway_that_was_up_leaves_the_verdict_and_adds_its_word():
    world = w.staggered(1)
    cause = judged(world, of_world(world))
    assert cause.status == "supported"
    assert check(cause, "gateway up").passed is True


def test_failures_in_an_outage_the_gateway_states_are_not_blamed_on_a_change():
    """Everybody patched in one night, and the gateway down for the days after it."""
    world = w.big_bang(1)
    attempts = world.tables().attempts
    failed = attempts[attempts["outcome"] == "failure"]["time"]
    down = [(failed.min() - pd.Timedelta("1h"), failed.max() + pd.Timedelta("1h"))]
    alone = judged(world, schema.empty("sessions"))
    assert alone.status == "no_control"
    cause = judged(world, of_world(world, down=down))
    assert cause.status == "not_supported"
    assert cause.competing == ("shared_outage",)
    assert cause.changes == ()
    assert check(cause, "gateway up").passed is False
    assert "says that it was down" in cause.text


def test_a_short_outage_inside_a_guilty_rollout_is_set_aside():
    world = w.staggered(2)
    attempts = world.tables().attempts
    middle = attempts["time"].median()
    down = [(middle, middle + pd.Timedelta("3h"))]
    cause = judged(world, of_world(world, down=down))
    assert cause.status == "supported"
    assert "lie in outages the gateway states" in check(cause, "gateway up").text
