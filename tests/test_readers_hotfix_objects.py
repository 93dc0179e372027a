"""Get-HotFix saved as objects, and osquery's tables."""

from __future__ import annotations

import json
from datetime import date

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from update_dialect_samples import (
    BERLIN,
    CLIXML,
    ENTRY,
    PATCH,
    clixml,
    lost,
    ps51,
    reasons,
    span,
    utc,
)

from kitlib import readers
from kitlib.readers import dates
from kitlib.readers.updates import (
    hotfix_objects,
    osquery,
)


@pytest.mark.parametrize("stamp", [BERLIN, {"value": BERLIN, "DateTime": "Mittwoch, 12. Januar"}])
@pytest.mark.parametrize("many", [True, False])
def test_hotfix_json_of_powershell_5_gives_the_local_day_where_it_was(stamp, many):
    data = json.dumps([ps51(stamp)] if many else ps51(stamp)).replace("/", "\\/").encode("utf-16")
    assert readers.sniff(data) == "get_hotfix_json"
    got = hotfix_objects.read_json(data)
    row = got.updates.iloc[0]
    assert span(row) == (utc("2022-01-12"), utc("2022-01-11T23:00"), utc("2022-01-13"), "date")
    assert (row["host"], row["kb"]) == ("WS0001", "KB5009543")
    assert got.problems.empty


def test_hotfix_json_of_powershell_7_gives_the_day_of_any_zone():
    got = hotfix_objects.read_json(json.dumps([ps51("2022-01-12T00:00:00")]).encode())
    assert span(got.updates.iloc[0]) == tuple(dates.day(date(2022, 1, 12)).cells().values())[:4]


def test_hotfix_json_decides_printed_dates_per_file_or_not_at_all():
    decided = [ps51("12/01/2022 00:00:00"), ps51("18/01/2022 00:00:00")]
    got = hotfix_objects.read_json(json.dumps(decided).encode()).updates
    assert list(got["date"]) == [utc("2022-01-12"), utc("2022-01-18")]
    undecided = hotfix_objects.read_json(json.dumps(decided[:1]).encode())
    assert pd.isna(undecided.updates["date"].item())
    assert "no value decides" in reasons(undecided)


def test_hotfix_json_keeps_what_is_whole_of_a_cut_file():
    data = json.dumps([ps51(BERLIN), ps51(BERLIN, "KB5010793"), ps51(None)]).encode()
    got = hotfix_objects.read_json(data[:-20])
    assert list(got.updates["kb"]) == ["KB5009543", "KB5010793"]
    assert "broken JSON" in reasons(got)


def test_hotfix_json_keeps_an_update_without_a_date():
    got = hotfix_objects.read_json(json.dumps([ps51(None), ps51("someday")]).encode())
    assert got.updates["date_low"].isna().all()
    assert "2 of 2 updates have no install date" in reasons(got)
    assert "'someday' is not a date" in reasons(got)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "body",
    [
        clixml() + clixml("KB5010793"),
        f'<Obj RefId="7"><LST>{clixml()}{clixml("KB5010793")}</LST></Obj>',
    ],
)
def test_hotfix_clixml_reads_objects_one_by_one_or_as_a_list(encoding, body):
    data = CLIXML.format(body).encode(encoding)
    assert readers.sniff(data) == "get_hotfix_clixml"
    got = hotfix_objects.read_clixml(data)
    assert list(got.updates["kb"]) == ["KB5009543", "KB5010793"]
    assert set(got.updates["host"]) == {"WS0001"}
    assert span(got.updates.iloc[1]) == tuple(dates.day(date(2022, 1, 12)).cells().values())[:4]
    assert got.problems.empty


def test_hotfix_clixml_keeps_the_whole_objects_of_a_cut_file():
    got = hotfix_objects.read_clixml(CLIXML.format(clixml() + clixml("KB5010793"))[:-40].encode())
    assert (list(got.updates["kb"]), lost(got)) == (["KB5009543"], 1)


def test_hotfix_clixml_expands_no_entity():
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY e0 "KB5009543"><!ENTITY f SYSTEM "file:///etc/passwd">{levels}]>'
    data = (bomb + CLIXML.format(clixml("&e11;") + clixml("&f;") + clixml("KB5010793"))).encode()
    assert readers.sniff(data) == "get_hotfix_clixml"
    got = hotfix_objects.read_clixml(data)
    assert list(got.updates["kb"]) == ["", "", "KB5010793"]
    assert got.updates["title"].str.len().max() < 100
    assert "2 entities" in reasons(got)


def test_osquery_patches_are_month_first_as_wmi_is():
    data = json.dumps([PATCH, PATCH | {"installed_on": "01d4dfd0fb4eb361"}]).encode()
    assert readers.sniff(data) == "osquery_patches"
    got = osquery.read_patches(data)
    assert span(got.updates.iloc[0]) == tuple(dates.day(date(2022, 1, 12)).cells().values())[:4]
    assert got.updates["date_basis"].tolist() == ["date", "utc"]
    assert set(got.updates["host"]) == {"WS0001"}
    assert got.problems.empty


def test_osquery_history_is_exact():
    data = json.dumps([ENTRY]).encode()
    assert readers.sniff(data) == "osquery_update_history"
    got = osquery.read_history(data)
    moment = utc("2022-01-12T03:15:41")
    assert span(got.updates.iloc[0]) == (moment, moment, moment, "utc")
    assert got.updates["source_kind"].item() == "osquery_update_history"
    assert got.updates["client_application_id"].item() == "UpdateOrchestrator"
    assert got.problems.empty


def test_osquery_logs_name_the_host_and_removals_are_no_uninstalls():
    log = {"name": "pack/patches", "hostIdentifier": "WS0007", "unixTime": 1641957341}
    plain = {name: value for name, value in PATCH.items() if name != "csname"}
    lines = [
        log | {"columns": plain, "action": "added"},
        log | {"columns": plain, "action": "removed"},
        log | {"snapshot": [plain, plain], "action": "snapshot"},
    ]
    data = "\n".join(map(json.dumps, lines)).encode()
    assert readers.sniff(data) == "osquery_patches"
    got = osquery.read_patches(data)
    assert list(got.updates["host"]) == ["WS0007"] * 3
    assert "1 rows are reported as removed" in reasons(got)


@settings(max_examples=40, deadline=None)
@given(seconds=st.lists(st.integers(1_000_000_000, 4_000_000_000), min_size=1, max_size=5))
def test_osquery_history_gives_back_every_second_written(seconds):
    data = "\n".join(json.dumps(ENTRY | {"date": str(one)}) for one in seconds).encode()
    want = [pd.Timestamp(one, unit="s", tz="UTC").as_unit("ns") for one in seconds]
    assert list(osquery.read_history(data).updates["date"]) == want
