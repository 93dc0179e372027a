"""systeminfo in any language, and DISM's lists."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from update_dialect_samples import HEADING, ROLLUP, block, info, lost, reasons, span, utc

from kitlib import readers, schema
from kitlib.readers.updates import (
    dism,
    systeminfo,
)


def test_systeminfo_reads_hotfixes_of_unknown_date():
    got = systeminfo.read(info("KB5009543", "KB5010793").encode())
    want = schema.frame(
        "updates",
        [
            {
                "host": "WS0001",
                "operation": "install",
                "result_code": "succeeded",
                "kb": kb,
                "source_kind": "systeminfo",
            }
            for kb in ("KB5009543", "KB5010793")
        ],
    )
    pd.testing.assert_frame_equal(got.updates, want)
    assert "no install dates" in reasons(got)


def test_systeminfo_says_how_many_hotfixes_were_cut_off_silently():
    got = systeminfo.read(info("KB5009543", "KB5010793", claimed=9).encode())
    assert (len(got.updates), lost(got)) == (2, 7)
    assert "claims 9 hotfixes and lists 2" in reasons(got)


def test_systeminfo_drops_a_name_that_was_cut_in_the_middle():
    got = systeminfo.read(info("KB5009543", "KB50107", claimed=9).encode())
    assert (list(got.updates["kb"]), lost(got)) == (["KB5009543"], 8)


def test_systeminfo_keeps_hotfixes_that_are_no_kb():
    got = systeminfo.read(info("Q147222", "File 1", "KB893756 - Update").encode()).updates
    assert list(got["title"]) == ["Q147222", "File 1", ""]
    assert list(got["kb"]) == ["", "", "KB893756"]


@pytest.mark.parametrize("noun", ["Hotfix", "Исправление", "修补程序", "Correctif"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_systeminfo_asks_no_label(noun, encoding):
    data = info("KB5009543", noun=noun).encode(encoding)
    assert readers.sniff(data) == "systeminfo"
    assert list(systeminfo.read(data).updates["kb"]) == ["KB5009543"]


def test_systeminfo_takes_the_code_page_from_the_locale():
    got = systeminfo.read(info("KB5009543", host="BÜRO-7").encode("cp850"))
    assert list(got.updates["host"]) == ["BÜRO-7"]
    assert "cp850" in reasons(got)


@pytest.mark.parametrize("host", ["...", "", "two words"])
def test_systeminfo_names_no_host_that_is_none(host):
    assert list(systeminfo.read(info("KB5009543", host=host).encode()).updates["host"]) == [""]


def test_systeminfo_names_no_host_when_its_beginning_is_missing():
    whole = info("KB5009543")
    assert list(systeminfo.read(whole[whole.index("OS Name") :].encode()).updates["host"]) == [""]


def test_systeminfo_reads_the_packed_csv_of_several_hosts():
    head = '"Host Name","OS Name","Time Zone","Hotfix(s)"\r\n'
    row = (
        '"{}","Microsoft Windows 10 Pro","(UTC+01:00) Wien","{} Hotfix(s) Installed.,[01]: {}"\r\n'
    )
    data = (head + row.format("A", 1, "KB5009543") + row.format("B", 3, "KB5010793")).encode()
    assert readers.sniff(data) == "systeminfo"
    got = systeminfo.read(data)
    assert list(zip(got.updates["host"], got.updates["kb"], strict=True)) == [
        ("A", "KB5009543"),
        ("B", "KB5010793"),
    ]
    assert lost(got) == 2


@settings(max_examples=50, deadline=None)
@given(
    kbs=st.lists(st.integers(1_000_000, 99_999_999), min_size=1, max_size=120),
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-16-le", "cp850"]),
)
def test_systeminfo_gives_back_every_hotfix_written(kbs, encoding):
    names = [f"KB{number}" for number in kbs]
    got = systeminfo.read(info(*names).encode(encoding))
    assert (list(got.updates["kb"]), lost(got)) == (names, 0)


def test_dism_reads_packages_with_the_identity_as_title():
    got = dism.read(
        (
            HEADING
            + block()
            + block("Package_for_KB5005699~31bf3856ad364e35~amd64~~19041.1220.1.0")
        ).encode()
    )
    assert got.updates["title"].iloc[0] == ROLLUP
    assert list(got.updates["kb"]) == ["", "KB5005699"]  # a build is no KB
    assert got.problems.empty
    written = utc("2022-01-13T03:15")
    assert span(got.updates.iloc[0]) == (
        written,
        written - pd.Timedelta("14h"),
        written + pd.Timedelta("12h1min"),
        "local",
    )


@pytest.mark.parametrize(
    ("state", "want"),
    [
        ("Installed", ("install", "succeeded")),
        ("Superseded", ("install", "succeeded")),
        ("Install Pending", ("install", "in_progress")),
        ("Staged", ("install", "not_started")),
        ("インストール済み", ("install", "succeeded")),
    ],
)
def test_dism_translates_states(state, want):
    row = dism.read(block(state=state).encode()).updates.iloc[0]
    assert (row["operation"], row["result_code"]) == want


def test_dism_gives_no_time_to_a_removal_that_waits():
    row = dism.read(block(state="Uninstall Pending").encode()).updates.iloc[0]
    assert (row["operation"], row["result_code"]) == ("uninstall", "in_progress")
    assert pd.isna(row["date"])


def test_dism_leaves_a_state_of_another_language_open():
    got = dism.read(block(state="Gelukt").encode())
    assert got.updates["result_code"].item() == ""
    assert "'Gelukt' is not known" in reasons(got)


def test_dism_does_not_choose_between_day_and_month():
    got = dism.read(block(at="01/12/2022 03:15").encode())
    row = got.updates.iloc[0]
    assert pd.isna(row["date"])
    assert row["date_low"] == utc("2022-01-11T13:15")
    assert row["date_high"] == utc("2022-12-01T15:16")
    assert "no value decides" in reasons(got)


def test_dism_reads_the_table_and_doubled_carriage_returns():
    head = f"{HEADING}Package Identity | State | Release Type | Install Time\r\n--- | --- | --- | ---\r\n"
    listed = f"{ROLLUP} | Installed | Security Update | 1/13/2022 3:15 AM\r\n"
    from_list = dism.read((HEADING + block()).encode()).updates
    for data in (head + listed, (HEADING + block()).replace("\r\n", "\r\r\n")):
        assert readers.sniff(data.encode()) == "dism_packages"
        pd.testing.assert_frame_equal(dism.read(data.encode("utf-16")).updates, from_list)


def test_dism_states_a_block_that_was_cut():
    whole = HEADING + block() + block()
    got = dism.read(whole[: whole.rindex("Release")].encode())
    assert (len(got.updates), lost(got)) == (1, 1)
    assert "without its whole set" in reasons(got)


@settings(max_examples=50, deadline=None)
@given(
    at=st.lists(
        st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)), min_size=1, max_size=8
    ),  # local
    form=st.sampled_from(["%m/%d/%Y %I:%M %p", "%d.%m.%Y %H:%M", "%Y/%m/%d %H:%M"]),
)
def test_dism_holds_every_time_written(at, form):
    got = dism.read("".join(block(at=one.strftime(form)) for one in at).encode()).updates
    written = pd.Series([pd.Timestamp(one, tz="UTC").floor("min") for one in at])
    assert (got["date_low"] <= written).all()
    assert (written <= got["date_high"]).all()
    assert got["date"].dropna().isin(written).all()
