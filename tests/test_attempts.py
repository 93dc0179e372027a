"""One row a try: chains by connection id, bursts as one episode."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import worlds
from worlds import step

from kitlib import schema
from kitlib.attempts import BURST, find_attempts
from kitlib.incident import load_incident

INCIDENT = load_incident("kb5009543")
START, ON, OK, FAIL = "attempt_started", "attempt_progress", "attempt_succeeded", "attempt_failed"


def tries(*facts):
    return schema.check("attempts", find_attempts(worlds.timeline(*facts), INCIDENT))


def rows(df, *columns):
    return list(df[list(columns)].itertuples(index=False, name=None))


def test_find_attempts_of_nothing_is_an_empty_table():
    assert tries().empty


def test_find_attempts_leaves_other_activities_out():
    assert tries(worlds.boot("01-12 08:00"), step("01-12 08:00", FAIL, activity="print")).empty


def test_find_attempts_chains_by_connection():
    df = tries(
        step("01-12 08:00:00", START, stage="dialing", user="u", target="Office", record_id=1),
        step("01-12 08:00:01", ON, stage="connecting", record_id=2),
        step("01-12 08:00:30", FAIL, code="789", record_id=3),
    )
    (row,) = df.to_dict("records")
    assert row == {
        "host": "PC1",
        "user": "u",
        "connection": "{a}",
        "time": worlds.at("01-12 08:00:00"),
        "outcome": "failure",
        "code": "789",
        "stage": "connecting",
        "duration": 30.0,
        "records": ["PC1/Application#1", "PC1/Application#2", "PC1/Application#3"],
        "target": "Office",
        "episode": 1,
    }


def test_find_attempts_starts_anew_when_an_id_is_used_again():
    df = tries(
        step("01-12 08:00", START),
        step("01-12 08:01", FAIL, code="789"),
        step("01-12 09:00", START),
        step("01-12 09:01", OK),
    )
    assert rows(df, "outcome", "code") == [("failure", "789"), ("success", "")]


def test_find_attempts_without_an_end_are_unknown():
    df = tries(step("01-12 08:00", START), step("01-12 09:00", START), step("01-12 09:01", OK))
    assert df["outcome"].tolist() == ["unknown", "success"]


def test_find_attempts_without_a_start_count():
    df = tries(step("01-12 08:00", FAIL, code="789"))
    assert rows(df, "outcome", "code", "stage", "duration") == [("failure", "789", "", 0.0)]


def test_find_attempts_counts_each_end_of_a_lost_start():
    df = tries(step("01-12 08:00", FAIL, code="789"), step("01-12 08:01", FAIL, code="789"))
    assert len(df) == 2


@pytest.mark.parametrize("nobody", ["", "{na}"])
def test_find_attempts_without_an_id_stand_alone(nobody):
    df = tries(*(step(f"01-12 08:0{n}", FAIL, nobody, code="691") for n in range(3)))
    assert len(df) == 3


def test_find_attempts_keeps_a_cancelled_one_apart():
    df = tries(
        step("01-12 08:00", START), step("01-12 08:01", FAIL, outcome="cancelled", code="631")
    )
    assert rows(df, "outcome", "code") == [("cancelled", "631")]


def test_find_attempts_keeps_interleaved_hosts_apart():
    df = tries(
        step("01-12 08:00:00", START),
        step("01-12 08:00:01", START, host="PC2"),
        step("01-12 08:00:02", FAIL, code="789"),
        step("01-12 08:00:03", OK, host="PC2"),
    )
    assert rows(df, "host", "outcome", "duration") == [
        ("PC1", "failure", 2.0),
        ("PC2", "success", 2.0),
    ]


def test_find_attempts_keeps_interleaved_connections_apart():
    df = tries(
        step("01-12 08:00:00", START, "{a}"),
        step("01-12 08:00:01", START, "{b}"),
        step("01-12 08:00:02", OK, "{a}"),
        step("01-12 08:00:03", FAIL, "{b}", code="809"),
    )
    assert rows(df, "connection", "outcome") == [("{a}", "success"), ("{b}", "failure")]


def test_find_attempts_goes_by_record_number_at_equal_times():
    df = tries(
        step("01-12 08:00", FAIL, code="789", record_id=3),
        step("01-12 08:00", ON, stage="connecting", record_id=2),
        step("01-12 08:00", START, stage="dialing", record_id=1),
    )
    assert rows(df, "outcome", "stage") == [("failure", "connecting")]


def test_find_attempts_counts_a_log_and_its_text_export_once():
    facts = [
        step("01-12 08:00", START),
        step("01-12 08:01", ON, stage="connecting"),
        step("01-12 08:02", FAIL, code="789"),
    ]
    df = tries(*facts, *(fact | {"record_id": None, "path": "a.csv"} for fact in facts))
    assert rows(df, "outcome", "duration") == [("failure", 120.0)]


def test_find_attempts_survives_facts_without_a_time():
    df = tries(
        step("01-12 08:00", OK),
        step(None, START, "{b}"),
        step(None, FAIL, "{b}", code="789"),
        step(None, FAIL, "{c}", code="789"),
    )
    assert rows(df, "outcome", "episode") == [("success", 1), ("failure", 2), ("failure", 3)]
    assert df["time"].isna().tolist() == [False, True, True]


def test_find_attempts_leaves_facts_of_no_known_host_out():
    assert tries(step("01-12 08:00", FAIL, host="")).empty


def test_find_attempts_does_not_need_a_plain_index():
    facts = worlds.timeline(step("01-12 08:00", START), step("01-12 08:01", OK))
    facts.index = [7, 7]
    assert find_attempts(facts, INCIDENT)["outcome"].tolist() == ["success"]


def test_episodes_end_with_a_success():
    facts = [
        step(f"01-12 08:0{n}", action, f"{{{n}}}")
        for n, action in enumerate([FAIL, FAIL, OK, FAIL])
    ]
    assert tries(*facts)["episode"].tolist() == [1, 1, 1, 2]


@pytest.mark.parametrize(
    ("time", "episodes"), [("01-12 08:30:00", [1, 1]), ("01-12 08:30:01", [1, 2])]
)
def test_episodes_end_with_a_pause(time, episodes):
    df = tries(step("01-12 08:00:00", FAIL, "{a}"), step(time, FAIL, "{b}"))
    assert df["episode"].tolist() == episodes


def slow_episodes(attempts):
    """The obvious way: walk through each host's attempts in order of time."""
    numbers, number = {}, 0
    for host in sorted(set(attempts["host"])):
        before = None
        own = attempts[attempts["host"] == host].sort_values("time", kind="stable")
        for index, row in own.iterrows():
            burst = (
                before is not None
                and before["outcome"] != "success"
                and row["time"] - before["time"] <= BURST
            )
            number += 0 if burst else 1
            numbers[index] = number
            before = row
    return [numbers[index] for index in attempts.index]


@pytest.mark.parametrize("seed", range(5))
def test_episodes_are_those_of_the_slow_twin(seed):
    rng = np.random.default_rng(seed)
    facts = [
        step("01-12 08:00", rng.choice([FAIL, OK]), f"{{{n}}}", host=f"PC{rng.integers(4)}")
        | {"time": worlds.at("01-12 08:00") + pd.Timedelta(seconds=int(rng.integers(0, 90_000)))}
        for n in range(200)
    ]
    df = tries(*facts)
    assert df["episode"].tolist() == slow_episodes(df)
    assert df["time"].is_monotonic_increasing
